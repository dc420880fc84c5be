// Internal to the module: the manifests as text, CSV and JSON lines.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "curation/joint_file.h"
#include "curation/sink.h"

namespace quasar::curation {

enum class TextFormat {
  kCsv,        ///< RFC 4180, but lines end in LF.
  kJsonLines,  ///< An object a line.
};

/// Which of the columns a manifest has: all but the optional ones without a value in any row.
using ShownColumns = std::vector<bool>;

/// The first line, with its end; empty where the format has none.
std::string header_line(TextFormat format, const Columns& columns, const ShownColumns& shown);
/// Appends a row as a line.
void append_line(TextFormat format, const Columns& columns, const ShownColumns& shown, const ManifestRow& row,
                 std::string& text);

/// One manifest, written by all ranks.
class TextSink : public Sink {
 public:
  /// `parts`: a folder that all ranks see. `columns` outlive the sink.
  TextSink(TextFormat format, const std::filesystem::path& path, const std::filesystem::path& parts,
           const Columns& columns, ShownColumns shown, const comm::Communicator& comm);
  void write(const ManifestRow& row) override;
  void commit(const CurationResult& result, WrittenFiles& files) override;

 private:
  TextFormat format_;
  const Columns& columns_;
  ShownColumns shown_;
  std::string name_;
  JointFile file_;
  std::string line_;
};

}  // namespace quasar::curation
