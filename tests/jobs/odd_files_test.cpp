// A corpus half of photos and half of what a scrape brings up besides: every file has its row and its status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
namespace fs = std::filesystem;

/// "ok 640 480": a row's status, and the header's width and height, 0 where it could not be read.
using Verdicts = std::map<std::string, std::string>;

/// Major and minor version of libvips as a number, 814 for 8.14.
int libvips_version() {
  const auto version = run_quasar({"--version"}).output;
  std::smatch match;
  if (!std::regex_search(version, match, std::regex("libvips ([0-9]+)\\.([0-9]+)"))) return 0;
  return std::stoi(match[1]) * 100 + std::stoi(match[2]);
}

/// tests/jobs/odd_files.tsv: file, status, width, height and, where libvips has learnt something, the first
/// version that the row holds for; of several rows of a file the last that applies counts.
Verdicts expected_verdicts() {
  Verdicts expected;
  const int version = libvips_version();
  std::ifstream table(test_file("jobs/odd_files.tsv"));
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
    if (cells.size() > 4 && version < std::stoi(cells[4])) continue;
    expected[cells.at(0)] = cells.at(1) + " " + cells.at(2) + " " + cells.at(3);
  }
  return expected;
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(OddFiles, HalfACorpusOfThemCompletesAndEachHasItsRowAndStatus) {
  const auto data = shared_data() / "data";
  QUASAR_REQUIRE_DATA(data / "odd");
  QUASAR_REQUIRE_DATA(data / "photos");
  const ScratchFolder scratch;
  const auto odd = files_below(data / "odd");
  std::vector<std::string> photos;
  for (const char* set : {"bsds500", "cid22"}) {
    for (const auto& file : files_below(data / "photos" / set)) {
      if (file.ends_with(".jpg") || file.ends_with(".webp")) photos.push_back(std::string(set) + "/" + file);
    }
  }
  ASSERT_GT(photos.size(), 500U);
  // There are fewer photos, so that each comes more than once, under other ids.
  std::ostringstream table;
  table << "path\tid\n";
  for (std::size_t i = 0; i < odd.size(); ++i) {
    table << (data / "odd" / odd[i]).string() << "\todd/" << odd[i] << "\n"
          << (data / "photos" / photos[i % photos.size()]).string() << "\tphoto/" << i << "\n";
  }
  table << (scratch / "not-there.jpg").string() << "\tmissing\n";
  write_text(scratch / "corpus.tsv", table.str());
  // Anchors of this input size, and pictures of any size, so that no status hides behind too_small.
  write_text(scratch / "config.yaml", "run: " + (scratch / "run").string() +
                                          "\ncorpus: {table: " + (scratch / "corpus.tsv").string() +
                                          ", id_column: id, shard_size: 256}\n"
                                          "encoder: {input: {resize: shorter_side, size: 64, min_side: 1}}\n"
                                          "anchors:\n  quality:\n    corpus: {directory: " +
                                          (data / "photos" / "clic2025").string() +
                                          "}\n    distortions: {kinds: [jpeg], levels: [5]}\n"
                                          "    recipe: {}\n");
  const auto outcome = run_quasar({"run", (scratch / "config.yaml").string()}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;

  Verdicts found;
  std::size_t photos_ok = 0;
  std::ifstream manifest(scratch / "run" / "manifest.jsonl");
  for (std::string line; std::getline(manifest, line);) {
    const auto row = nlohmann::json::parse(line);
    const std::string id = row["id"];
    const std::string status = row["status"];
    if (id == "missing") {
      EXPECT_EQ(status, "missing");
      continue;
    }
    if (id.starts_with("photo/")) {
      EXPECT_EQ(status, "ok") << id;
      ++photos_ok;
      continue;
    }
    found[id.substr(4)] = status + " " + std::to_string(row["width"].get<int>()) + " " +
                          std::to_string(row["height"].get<int>());
  }
  EXPECT_EQ(photos_ok, odd.size());
  const auto summary = nlohmann::json::parse(content(scratch / "run" / "summary.json"));
  EXPECT_EQ(summary["rows"], 2 * odd.size() + 1);
  EXPECT_EQ(summary["scored"].get<std::size_t>() + summary["failed"].get<std::size_t>(), 2 * odd.size() + 1);
  std::size_t by_status = 0;
  for (const auto& [name, count] : summary["by_status"].items()) by_status += count.get<std::size_t>();
  EXPECT_EQ(by_status, 2 * odd.size() + 1);
  EXPECT_EQ(found.size(), odd.size());
  const auto expected = expected_verdicts();
  for (const auto& [file, verdict] : found) {
    const auto entry = expected.find(file);
    EXPECT_EQ(verdict, entry == expected.end() ? "no line in odd_files.tsv" : entry->second) << file;
  }
  EXPECT_EQ(found.size(), expected.size()) << "odd_files.tsv names files that are not there";
}

}  // namespace
