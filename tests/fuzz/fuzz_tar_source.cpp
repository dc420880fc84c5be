// A file from anywhere under the name of a tar, taken for a source of images with captions and labels: items
// with ids of their own whose bytes lie in the file, or Error(kInput) for what is compressed; and twice the
// same.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/logging.h"
#include "corpus/sources/source.h"

namespace {

using namespace quasar;

class Items final : public corpus::ItemSink {
 public:
  void add(corpus::Item item) override {
    if (!ids_.insert(item.id).second) std::abort();
    if (item.fields.size() != 2 || item.offset < 512 || item.offset % 512 != 0) std::abort();
    text_ += item.id + "\n" + item.fields[0].second + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::set<std::string> ids_;
  std::string text_;
};

std::string listed(const corpus::SourceConfig& config) {
  Items items;
  corpus::SourceCounts counts;
  corpus::make_source(config)->list(items, counts);
  return items.text();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = (base::configure_logging(0, 1, base::LogLevel::kError), true);
  static const base::Descriptor file(::memfd_create("fuzz.tar", MFD_CLOEXEC));
  if (!quiet || !file.is_open() || ::ftruncate(file.number(), 0) != 0 ||
      ::pwrite(file.number(), data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  corpus::SourceConfig config;
  config.kind = corpus::SourceKind::kTar;
  config.patterns = {"/proc/self/fd/" + std::to_string(file.number())};
  config.fields = {"caption", "url"};
  config.label_column = "cls";
  try {
    if (listed(config) != listed(config)) std::abort();
  } catch (const base::Error& error) {
    if (error.code() != base::ExitCode::kInput) std::abort();
  }
  return 0;
}
