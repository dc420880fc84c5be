#include "corpus/benchmarks/distorted_sets.h"

#include <fmt/format.h>

#include <algorithm>

#include "corpus/benchmarks/label_text.h"

namespace quasar::corpus {
namespace {

/// "additive_gaussian_noise" of "distort_3_additive_gaussian_noise_inter_1.png", where 3 is the number of the
/// reference and the end says between which references the copy was compared; else nothing.
std::string pieapp_kind(const std::string& name, const std::string& reference) {
  const std::string stem = stem_of(name);
  const auto number_at = reference.rfind('_');
  const std::string prefix =
      "distort" + (number_at == std::string::npos ? "" : reference.substr(number_at)) + "_";
  const auto end = std::max(stem.rfind("_inter_") + 1, stem.rfind("_intra_") + 1);
  if (stem.rfind(prefix, 0) != 0 || end <= prefix.size()) return "";
  return stem.substr(prefix.size(), end - 1 - prefix.size());
}

}  // namespace

void read_tid2013(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts& counts) {
  const auto names = files.label_file({"mos_with_names.txt"});
  const auto deviations_file = files.find_label_file({"mos_std.txt"});
  // One a line, in the order of the names.
  std::vector<std::optional<double>> deviations;
  if (deviations_file) {
    for_each_line(*deviations_file,
                  [&](std::string_view line, std::size_t) { deviations.push_back(number_of(line)); });
  }
  std::size_t row = 0;
  for_each_line(names, [&](std::string_view line, std::size_t number) {
    const auto place = place_of(names, number);
    const auto columns = words(line);
    if (columns.size() != 2) fail_at(place, "a line is a score, a blank and a name: 5.51429 I01_01_1.bmp");
    if (deviations_file && row >= deviations.size()) {
      fail_at(place, deviations_file->filename().string() + " ends before, after " +
                         std::to_string(deviations.size()) + " lines");
    }
    const std::string name(columns[1]);
    const auto parts = distorted_name(name, place);
    take({place, files.picture({"distorted_images"}, name, place),
          files.picture({"reference_images"}, parts.reference + ".bmp", place), number_of(columns[0]),
          deviations_file ? deviations[row] : std::nullopt, "", fields_of(parts)});
    ++row;
  });
  if (!deviations_file) {
    counts.noted["labels without a deviation, as there is no mos_std.txt"] += row;
  } else if (row != deviations.size()) {
    files.fail(fmt::format("mos_std.txt has {} lines, and mos_with_names.txt {}; they go together by line",
                           deviations.size(), row));
  }
}

void read_kadid10k(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts&) {
  const auto file = files.label_file({"dmos.csv"});
  for_each_record(file, {"dist_img", "ref_img", "dmos", "var"}, [&](const LabelRecord& record) {
    const auto& cells = record.cells;
    take({record.place, files.picture({"images"}, cells[0], record.place),
          files.picture({"images"}, cells[1], record.place), number_of(cells[2]), number_of(cells[3]), "",
          fields_of(distorted_name(cells[0], record.place))});
  });
}

void read_pieapp(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts&) {
  const auto list = files.label_file({"test_reference_list.txt"});
  for_each_line(list, [&](std::string_view line, std::size_t number) {
    const std::string reference_name(line);
    const auto reference = files.picture({"reference_images/test"}, reference_name, place_of(list, number));
    const std::string stem = stem_of(reference_name);
    const auto scores = files.label_file({"labels/test/" + stem + "_per_image_score.csv"});
    // By position: the names after the first begin with a blank.
    for_each_record(scores, 3, [&](const LabelRecord& record) {
      const auto& name = record.cells[1];
      BenchmarkRow row{record.place,
                       files.picture({"distorted_images/test/" + stem}, name, record.place),
                       reference,
                       number_of(record.cells[2]),
                       std::nullopt,
                       "test",
                       {}};
      if (auto kind = pieapp_kind(name, stem); !kind.empty())
        row.fields.emplace_back("kind", std::move(kind));
      take(std::move(row));
    });
  });
}

void read_pipal(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts&) {
  for (const auto& file : files.label_files("Train_Label", ".txt")) {
    const std::string stem = file.stem().string();
    const auto reference = files.picture({"Train_Ref"}, stem + ".bmp", place_of(file, 1));
    for_each_line(file, [&](std::string_view line, std::size_t number) {
      const auto place = place_of(file, number);
      const auto comma = line.rfind(',');
      if (comma == std::string_view::npos)
        fail_at(place, "a line is a name, a comma and a score: A0001_00_00.bmp,1520.0648");
      const std::string name(trimmed(line.substr(0, comma)));
      take({place,
            files.picture({"Train_Dist", "Distortion_1", "Distortion_2", "Distortion_3", "Distortion_4"},
                          name, place),
            reference, number_of(line.substr(comma + 1)), std::nullopt, "train",
            fields_of(distorted_name(name, place))});
    });
  }
}

void read_kadis700k(BenchmarkFiles& files, const std::string&, const TakeRow& take, SourceCounts&) {
  constexpr int kLevels = 5;
  const auto file = files.label_file({"kadis700k_ref_imgs.csv"});
  for_each_record(file, {"ref_im", "dist_type_1"}, [&](const LabelRecord& record) {
    const auto& name = record.cells[0];
    const auto reference = files.picture({"ref_imgs"}, name, record.place);
    const auto kind = number_of(record.cells[1]);
    constexpr double kKinds = 25;
    if (!kind || !(*kind >= 1 && *kind <= kKinds) || *kind != static_cast<int>(*kind)) {
      fail_at(record.place, "the kind of a distortion is a whole number from 1 to 25, not \"" +
                                record.cells[1].substr(0, 80) + "\"");
    }
    for (int level = 1; level <= kLevels; ++level) {
      const DistortedName copy{stem_of(name), static_cast<int>(*kind), level};
      take({record.place,
            files.picture({"dist_imgs"}, fmt::format("{}_{:02}_{:02}.bmp", copy.reference, copy.kind, level),
                          record.place),
            reference, std::nullopt, std::nullopt, "", fields_of(copy)});
    }
  });
}

}  // namespace quasar::corpus
