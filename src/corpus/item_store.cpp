#include "corpus/item_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <span>

#include "base/errors.h"
#include "base/read_at.h"

namespace quasar::corpus {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20U;

distort::Distortion stated_distortion(const std::string& text) {
  const auto distortion = distort::distortion_from_text(text);
  if (!distortion)
    base::fail(base::ExitCode::kMismatch, "a line of items.jsonl holds no distortion: \"" + text + "\"");
  return *distortion;
}

void take_former_distortion(Item& item) {
  std::erase_if(item.fields, [&](const auto& field) {
    if (field.first != kFormerDistortionField) return false;
    item.distortion = stated_distortion(field.second);
    return true;
  });
}

}  // namespace

std::string item_to_line(const Item& item) {
  nlohmann::ordered_json line;
  line["id"] = item.id;
  line["source"] = item.source;
  if (!item.member.empty()) line["member"] = item.member;
  if (item.offset != 0) line["offset"] = item.offset;
  if (item.size != 0) line["size"] = item.size;
  if (item.label) line["label"] = *item.label;
  if (item.deviation) line["deviation"] = *item.deviation;
  if (!item.reference.empty()) line["group"] = item.reference;
  if (!item.split.empty()) line["split"] = item.split;
  if (item.distortion) line["distortion"] = distort::to_text(*item.distortion);
  for (const auto& [name, value] : item.fields) line["fields"][name] = value;
  try {
    return line.dump();
  } catch (const nlohmann::json::exception&) {
    base::fail(base::ExitCode::kInternal,
               "an item's text is not UTF-8: " +
                   line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
  }
}

Item item_from_line(std::string_view text, int schema) {
  try {
    const auto line = nlohmann::ordered_json::parse(text);
    Item item;
    item.id = line.at("id").get<std::string>();
    item.source = line.at("source").get<std::string>();
    item.member = line.value("member", "");
    item.offset = line.value("offset", std::uint64_t{0});
    item.size = line.value("size", std::uint64_t{0});
    if (line.contains("label") && line["label"].is_number()) item.label = line["label"].get<double>();
    if (line.contains("deviation") && line["deviation"].is_number())
      item.deviation = line["deviation"].get<double>();
    item.reference = line.value("group", "");
    item.split = line.value("split", "");
    if (line.contains("distortion"))
      item.distortion = stated_distortion(line["distortion"].get<std::string>());
    if (line.contains("fields")) {
      for (const auto& [name, value] : line["fields"].items())
        item.fields.emplace_back(name, value.get<std::string>());
    }
    if (schema == 1) take_former_distortion(item);
    return item;
  } catch (const nlohmann::json::exception& error) {
    base::fail(base::ExitCode::kMismatch, std::string("a line of items.jsonl is no item: ") + error.what());
  }
}

std::shared_ptr<ItemStore> ItemStore::unnamed() {
  std::string name = (std::filesystem::temp_directory_path() / "quasar-items-XXXXXX").string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) {
    base::fail(base::ExitCode::kOutput, "cannot create a temporary file " + name + ": " +
                                            base::describe_errno(errno) + " (TMPDIR names the folder)");
  }
  ::unlink(name.c_str());
  return std::shared_ptr<ItemStore>(
      new ItemStore(fd, "a temporary file in " + name.substr(0, name.rfind('/'))));
}

std::shared_ptr<ItemStore> ItemStore::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    base::fail(base::ExitCode::kInput, "cannot open " + path.string() + ": " + base::describe_errno(errno));
  auto store = std::shared_ptr<ItemStore>(new ItemStore(fd, path.string()));
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    base::fail(base::ExitCode::kInput, path.string() + " is not a regular file");
  }
  store->size_ = static_cast<std::uint64_t>(status.st_size);
  return store;
}

void ItemStore::append(std::string_view text) {
  buffer_.append(text);
  size_ += text.size();
  if (buffer_.size() >= kBufferSize) flush();
}

void ItemStore::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(file_.number(), buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      base::fail(base::ExitCode::kOutput, "cannot write " + name_ + ": " + base::describe_errno(errno));
    done += static_cast<std::size_t>(written);
  }
  buffer_.clear();
}

std::string ItemStore::read(std::uint64_t offset, std::uint64_t length) const {
  const auto fail_short = [this] {
    base::fail(base::ExitCode::kMismatch, name_ + " is shorter than its plan says");
  };
  if (offset > size_ || length > size_ - offset) fail_short();
  std::string text(static_cast<std::size_t>(length), '\0');
  const auto read = base::read_at(file_, offset, std::as_writable_bytes(std::span(text)));
  if (read.error != 0)
    base::fail(base::ExitCode::kInput, "cannot read " + name_ + ": " + base::describe_errno(read.error));
  if (read.bytes != text.size()) fail_short();
  return text;
}

}  // namespace quasar::corpus
