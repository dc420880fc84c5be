#include "corpus/benchmarks/photo_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "corpus/benchmarks/label_text.h"
#include "corpus/benchmarks/mat_file.h"
#include "corpus/benchmarks/spreadsheet.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

/// Rows of a table that has them by the sheet of a workbook, or a CSV made of it.
void for_each_sheet_record(const std::filesystem::path& file, const std::vector<std::string>& columns,
                           const std::function<void(const LabelRecord& record)>& take) {
  if (has_suffix(file.native(), {".csv"})) return for_each_record(file, columns, take);
  const auto rows = read_first_sheet(file);
  if (rows.empty()) fail_at(path_to_text(file), "its first sheet is empty");
  const auto places = places_of(rows.front().cells, columns, path_to_text(file) + ", first sheet, row 1");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    LabelRecord record;
    record.place = fmt::format("{}, row {}", path_to_text(file), rows[i].number);
    for (const auto place : places) {
      record.cells.emplace_back(place < rows[i].cells.size() ? trimmed(rows[i].cells[place])
                                                             : std::string_view());
    }
    take(record);
  }
}

struct NamedScore {
  std::string name;
  std::optional<double> score;
};

/// "NAME SCORE": what follows the last blank is the score.
NamedScore named_score(std::string_view line, const std::string& place) {
  const auto blank = line.find_last_of(" \t");
  if (blank == std::string_view::npos) fail_at(place, "a line is a name, a blank and a score");
  return {std::string(trimmed(line.substr(0, blank))), number_of(line.substr(blank + 1))};
}

Picture aadb_picture(BenchmarkFiles& files, bool is_test, const std::string& name, const std::string& place) {
  const std::vector<std::string> folders =
      is_test ? std::vector<std::string>{"AADB_newtest_originalSize", "datasetImages_originalSize",
                                         "AADB_newtest", "datasetImages_warp256"}
              : std::vector<std::string>{"datasetImages_originalSize", "datasetImages_warp256"};
  auto picture = files.picture(folders, name, place);
  if (picture.there || !is_test) return picture;
  // The test pictures of 256 x 256 are called after their score: 0.500_NAME.
  const auto numbered = files.numbered_picture("AADB_newtest", name, place);
  return numbered.there ? numbered : picture;
}

}  // namespace

void read_koniq10k(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                   SourceCounts& counts) {
  const char* const kSets = "koniq10k_distributions_sets.csv";
  const char* const kScores = "koniq10k_scores_and_distributions.csv";
  const auto sets = files.find_label_file({kSets});
  const auto scores = sets ? files.find_label_file({kScores}) : files.label_file({kSets, kScores});
  // Opinions as they were given, 1 to 5: the scale of the deviations.
  std::unordered_map<std::string, std::string> mos_1_to_5;
  const auto row = [&](const LabelRecord& record, std::string split, const std::string& mos) {
    BenchmarkRow result{record.place,
                        files.picture({variant}, record.cells[0], record.place),
                        std::nullopt,
                        number_of(record.cells[1]),
                        number_of(record.cells[2]),
                        std::move(split),
                        {}};
    if (!mos.empty()) result.fields.emplace_back("mos_1_to_5", mos);
    return result;
  };
  if (!sets) {
    std::uint64_t rows = 0;
    for_each_record(*scores, {"image_name", "MOS_zscore", "SD", "MOS"}, [&](const LabelRecord& record) {
      take(row(record, "", escaped_text(record.cells[3])));
      ++rows;
    });
    counts.noted[std::string("pictures without a split, as there is no ") + kSets] += rows;
    return;
  }
  if (scores) {
    for_each_record(*scores, {"image_name", "MOS"}, [&](const LabelRecord& record) {
      mos_1_to_5[record.cells[0]] = escaped_text(record.cells[1]);
    });
  }
  for_each_record(*sets, {"image_name", "MOS", "SD", "set"}, [&](const LabelRecord& record) {
    const auto mos = mos_1_to_5.find(record.cells[0]);
    take(row(record, escaped_text(record.cells[3]), mos == mos_1_to_5.end() ? "" : mos->second));
  });
}

void read_liveitw(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts&) {
  // The pictures by which the subjects were made familiar with their task come first.
  constexpr std::size_t kTraining = 7;
  const auto names_file = files.label_file({"Data/AllImages_release.mat"});
  const auto names = read_mat(names_file, {"AllImages_release"}, {}).texts.at("AllImages_release");
  const auto numbers = [&](const std::string& name) {
    return read_mat(files.label_file({"Data/" + name + ".mat"}), {}, {name}).numbers.at(name);
  };
  const auto labels = numbers("AllMOS_release");
  const auto deviations = numbers("AllStdDev_release");
  if (names.size() != labels.size() || names.size() != deviations.size()) {
    files.fail(fmt::format(
        "AllImages_release.mat, AllMOS_release.mat and AllStdDev_release.mat go together and have {}, {} and "
        "{} entries",
        names.size(), labels.size(), deviations.size()));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto place = fmt::format("{}, entry {}", path_to_text(names_file), i + 1);
    const bool training = i < kTraining;
    take({place,
          files.picture(training ? std::vector<std::string>{"Images/trainingImages", "Images"}
                                 : std::vector<std::string>{"Images"},
                        names[i], place),
          std::nullopt,
          labels[i],
          deviations[i],
          training ? "training" : "test",
          {}});
  }
}

void read_spaq(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts&) {
  const std::vector<std::string> columns = {"Image name", "MOS",       "Brightness", "Colorfulness",
                                            "Contrast",   "Noisiness", "Sharpness"};
  const std::string name = "MOS and Image attribute scores";
  const auto file = files.label_file({"Annotations/" + name + ".xlsx", "Annotations/" + name + ".csv"});
  for_each_sheet_record(file, columns, [&](const LabelRecord& record) {
    BenchmarkRow row{record.place,
                     files.picture({"TestImage"}, record.cells[0], record.place),
                     std::nullopt,
                     number_of(record.cells[1]),
                     std::nullopt,
                     "",
                     {}};
    for (std::size_t i = 2; i < columns.size(); ++i)
      row.fields.emplace_back(columns[i], escaped_text(record.cells[i]));
    take(std::move(row));
  });
}

void read_tad66k(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                 SourceCounts& counts) {
  constexpr std::array<const char*, 2> kSplits = {"train", "test"};
  const std::vector<std::string> columns = {"image", "score"};
  const auto each_of = [&](const std::filesystem::path& file, const auto& take_name) {
    for_each_record(file, columns, [&](const LabelRecord& record) { take_name(record); });
  };
  const auto theme_files = [&](const std::string& split) {
    auto found = files.find_label_files("labels/unmerge/" + split, ".csv");
    return found.empty() ? files.find_label_files("dataset/unmerge/" + split, ".csv") : found;
  };
  const auto row = [&](const LabelRecord& record, const char* split, const std::string& theme) {
    BenchmarkRow result{record.place,
                        files.picture({"images", "TAD66K", ""}, record.cells[0], record.place),
                        std::nullopt,
                        number_of(record.cells[1]),
                        std::nullopt,
                        split,
                        {}};
    if (!theme.empty()) result.fields.emplace_back("theme", escaped_text(theme));
    return result;
  };
  if (variant == "unmerge") {
    for (const auto* split : kSplits) {
      const auto themes = theme_files(split);
      if (themes.empty()) files.label_files(std::string("labels/unmerge/") + split, ".csv");
      for (const auto& file : themes)
        each_of(file, [&](const LabelRecord& record) { take(row(record, split, file.stem().string())); });
    }
    return;
  }
  // The division of "merge" is another than that of the themes' files, which name the same pictures.
  std::unordered_map<std::string, std::string> themes;
  for (const auto* split : kSplits) {
    for (const auto& file : theme_files(split))
      each_of(file,
              [&](const LabelRecord& record) { themes.emplace(record.cells[0], file.stem().string()); });
  }
  for (const auto* split : kSplits) {
    const std::string path = std::string("/merge/") + split + ".csv";
    const auto file = files.label_file({"labels" + path, "dataset" + path});
    each_of(file, [&](const LabelRecord& record) {
      const auto theme = themes.find(record.cells[0]);
      if (theme == themes.end()) ++counts.noted["pictures without a theme"];
      take(row(record, split, theme == themes.end() ? "" : theme->second));
    });
  }
}

void read_aadb(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts& counts) {
  struct List {
    const char* split;
    const char* file;
  };
  // "TestNew" is the test set of the paper; the list "Test" is an older one.
  constexpr std::array<List, 3> kLists = {
      {{"train", "Train"}, {"validation", "Validation"}, {"test", "TestNew"}}};
  const std::string folder = "imgListFiles_label/";
  const char* const kInfo = "AADBinfo.mat";
  const auto path_of = [&](const List& list) {
    return folder + "imgList" + list.file + "Regression_score.txt";
  };
  const auto take_row = [&](const std::string& place, const std::string& name, std::optional<double> score,
                            const std::string& split) {
    take({place,
          aadb_picture(files, split == "test", name, place),
          std::nullopt,
          score,
          std::nullopt,
          split,
          {}});
  };
  if (files.find_label_file({path_of(kLists[0])})) {
    for (const auto& list : kLists) {
      const auto file = files.label_file({path_of(list)});
      for_each_line(file, [&](std::string_view line, std::size_t number) {
        const auto place = place_of(file, number);
        const auto named = named_score(line, place);
        take_row(place, named.name, named.score, list.split);
      });
    }
    return;
  }
  const auto file = files.label_file({kInfo, path_of(kLists[0])});
  const auto info = read_mat(file, {"trainNameList", "testNameList"}, {"trainScore", "testScore"});
  for (const auto* split : {"train", "test"}) {
    const auto& names = info.texts.at(std::string(split) + "NameList");
    const auto& scores = info.numbers.at(std::string(split) + "Score");
    if (names.size() != scores.size()) {
      fail_at(path_to_text(file), fmt::format("{}NameList has {} entries and {}Score {}", split, names.size(),
                                              split, scores.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      take_row(fmt::format("{}, {}NameList, entry {}", path_to_text(file), split, i + 1), names[i], scores[i],
               split);
    }
  }
  constexpr std::uint64_t kValidation = 500;
  counts.noted["pictures of the validation split, which AADBinfo.mat does not name"] += kValidation;
}

void read_ava(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts& counts) {
  constexpr std::size_t kColumns = 15;
  constexpr std::size_t kScores = 10;
  constexpr std::size_t kFirstCount = 2;
  const auto file = files.label_file({"AVA.txt"});
  const auto list = files.find_label_file({"aesthetics_image_lists/generic_test.jpgl", "generic_test.jpgl"});
  std::unordered_set<std::string> test;
  if (list) {
    for_each_line(*list, [&](std::string_view line, std::size_t) { test.emplace(line); });
  }
  std::uint64_t rows = 0;
  std::uint64_t found = 0;
  for_each_line(file, [&](std::string_view line, std::size_t number) {
    const auto place = place_of(file, number);
    const auto columns = words(line);
    if (columns.size() != kColumns) {
      fail_at(place, fmt::format("{} columns, and AVA.txt has 15: index, id, ten counts of votes, two tags, "
                                 "challenge",
                                 columns.size()));
    }
    double votes = 0;
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < kScores; ++i) {
      const auto count = number_of(columns[kFirstCount + i]);
      if (!count || !(*count >= 0) || *count != std::floor(*count)) {
        fail_at(place, "the votes for score " + std::to_string(i + 1) + " are no count: \"" +
                           escaped_text(columns[kFirstCount + i].substr(0, 80)) + "\"");
      }
      const auto score = static_cast<double>(i + 1);
      votes += *count;
      sum += *count * score;
      squares += *count * score * score;
    }
    BenchmarkRow row;
    row.place = place;
    const std::string id(columns[1]);
    row.picture = files.picture({"images", "image", ""}, id + ".jpg", place);
    if (votes > 0) {
      const double mean = sum / votes;
      row.label = mean;
      row.deviation = std::sqrt(std::max(0.0, squares / votes - mean * mean));
    }
    const bool is_test = test.count(id) > 0;
    found += is_test ? 1 : 0;
    if (list) row.split = is_test ? "test" : "train";
    row.fields.emplace_back("votes", fmt::format("{:.0f}", votes));
    ++rows;
    take(std::move(row));
  });
  if (!list) counts.noted["pictures without a split, as there is no generic_test.jpgl"] += rows;
  if (test.size() > found)
    counts.noted["names of generic_test.jpgl that AVA.txt does not have"] += test.size() - found;
}

}  // namespace quasar::corpus
