// Runs GoogleTest on every rank of an MPI job; only rank 0 prints, except for failures, which name their
// rank.
#include <gtest/gtest.h>

#include <iostream>

#include "comm/communicator.h"

namespace {

class FailureWithRank : public testing::EmptyTestEventListener {
 public:
  explicit FailureWithRank(int rank) : rank_(rank) {}
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cerr << "[rank " << rank_ << "] " << (result.file_name() != nullptr ? result.file_name() : "?")
              << ":" << result.line_number() << ": " << result.message() << std::endl;
  }

 private:
  int rank_;
};

}  // namespace

int main(int argc, char** argv) {
  const quasar::comm::Environment environment(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const auto world = quasar::comm::Communicator::world();
  if (!world.is_root()) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailureWithRank(world.rank()));
  }
  const std::int64_t failed = RUN_ALL_TESTS() == 0 ? 0 : 1;
  return world.all_reduce(failed, quasar::comm::Reduction::kMax) == 0 ? 0 : 1;
}
