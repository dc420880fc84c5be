// Carries the header that the test programs share precompiled; runs nothing.
int main() {
  return 0;
}
