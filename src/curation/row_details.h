// Owns what a report shows of rows beside what their manifest has, which others find.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plot/page.h"

namespace quasar::curation {

/// What is to be shown of a row beside what the manifest has.
struct RowDetail {
  plot::Thumbnail picture;  ///< Of a row whose status is ok.
  std::string error;        ///< Of one that failed.
};
using RowDetails = std::map<std::string, RowDetail>;
/// Finds the details of rows by id, each rank those of its own shards; all of them on root. Collective.
using FindDetails = std::function<RowDetails(const std::vector<std::string>& ids)>;

}  // namespace quasar::curation
