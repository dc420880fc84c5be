// Owns what names in a tar stand for: which members are hidden, and where links lead.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "corpus/sources/tar_reader.h"

namespace quasar::corpus {

/// Whether the last part of a name begins with a dot.
bool is_hidden(std::string_view name);

/// The members of a tar by their names, for links.
class LinkResolver {
 public:
  /// Reads the headers of the tar. Throws as open_tar() does.
  explicit LinkResolver(const std::filesystem::path& tar);

  /// The member that a link stands for; null when there is none in its archive.
  const TarMember* resolve(const TarMember& link) const;

 private:
  /// Unpacking, a later member takes the place of an earlier one with its name.
  const TarMember* latest(const std::string& name, std::size_t archive, std::uint64_t before) const;

  std::unordered_map<std::string, std::vector<TarMember>> members_;
};

}  // namespace quasar::corpus
