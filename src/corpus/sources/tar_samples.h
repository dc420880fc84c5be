// Owns the samples of a tar as WebDataset has them: members whose names are equal up to the first dot of
// their last part, folders included, are one sample, and what follows that dot is a member's extension, in
// any case.
//
// A key that comes back later in a tar is another sample, so that shards put one behind the other do not mix.
// What lies apart is one sample all the same where nothing speaks for two, as in a tar with all pictures
// before all descriptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace quasar::corpus {

/// A member's name in its parts: "d/s0" and "info.json" of "d/s0.info.JSON".
struct SampleName {
  std::string_view key;
  std::string extension;  ///< In lower case; empty without a dot.
};
SampleName sample_name(std::string_view member);

struct Sample {
  std::string key;
  std::size_t archive = 0;                          ///< Among archives put one behind the other.
  std::map<std::string, std::size_t> images;        ///< Number of the member by its extension.
  std::map<std::string, std::size_t> descriptions;  ///< The same of what is no image.
};

enum class MemberRole { kImage, kDescription };

/// Puts members together; add them in the order of the tar.
class SampleCollector {
 public:
  void add(std::size_t member, std::string_view name, std::size_t archive, MemberRole role);
  /// The samples in the order of their first members.
  std::vector<Sample> take();
  /// Samples whose key had been there before.
  std::uint64_t returned() const { return returned_; }

 private:
  void close_run();

  std::vector<Sample> samples_;
  std::unordered_map<std::string, std::size_t> last_;  // Latest sample of a key.
  std::optional<Sample> run_;                          // Members of one key without another between them.
  std::uint64_t returned_ = 0;
};

/// The member that says `wanted` ("json", "txt") of the image with extension `image`.
struct Description {
  std::optional<std::size_t> member;
  bool ambiguous = false;  ///< Several could, and none is nearer.
};
/// In this order: the one that is named like the image ("05.json" for "05.jpg"), the sample's own ("json"),
/// the only one that is named like no other image of the sample ("info.json" for "input.jpg").
Description description_of(const Sample& sample, std::string_view image, std::string_view wanted);

}  // namespace quasar::corpus
