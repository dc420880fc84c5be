#include "program.h"

int main(int argc, char** argv) {
  return quasar::jobs::run_program(argc, argv, {});
}
