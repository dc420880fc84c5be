#include "corpus/benchmarks/benchmark.h"

#include <algorithm>

#include "corpus/benchmarks/distorted_sets.h"
#include "corpus/benchmarks/photo_sets.h"

namespace quasar::corpus {
namespace {

LabelScale up(const char* name, std::optional<double> low, std::optional<double> high) {
  return {name, LabelDirection::kUp, low, high, true};
}

std::vector<Benchmark> make_benchmarks() {
  std::vector<Benchmark> sets;
  sets.push_back({"tid2013", "TID2013", 3000, 25, false, up("MOS", 0, 9), {{"", {}}}, "", "", read_tid2013});
  // Quality, although it is called dmos.
  sets.push_back(
      {"kadid10k", "KADID-10k", 10125, 81, false, up("dmos", 1, 5), {{"", {}}}, "", "", read_kadid10k});
  const std::vector<PublishedSplit> koniq = {{"training", 7058}, {"validation", 1000}, {"test", 2015}};
  LabelScale koniq_scale = up("MOS", 0, 100);
  koniq_scale.deviations_in_units = false;  // They are of opinions from 1 to 5.
  sets.push_back({"koniq10k",
                  "KonIQ-10k",
                  10073,
                  0,
                  false,
                  koniq_scale,
                  {{"1024x768", koniq}, {"512x384", koniq}},
                  "",
                  "",
                  read_koniq10k});
  sets.push_back({"liveitw",
                  "LIVE in the Wild",
                  1169,
                  0,
                  false,
                  up("MOS", 0, 100),
                  {{"", {{"training", 7}, {"test", 1162}}}},
                  "test",
                  "",
                  read_liveitw});
  sets.push_back({"spaq", "SPAQ", 11125, 0, false, up("MOS", 0, 100), {{"", {}}}, "", "", read_spaq});
  sets.push_back({"pieapp",
                  "PieAPP",
                  600,
                  40,
                  false,
                  LabelScale{"dissimilarity", LabelDirection::kDown, std::nullopt, std::nullopt, true},
                  {{"", {{"test", 600}}}},
                  "",
                  "its train and val parts have comparisons of pairs and no score per picture",
                  read_pieapp});
  sets.push_back(
      {"tad66k",
       "TAD66k",
       66327,
       0,
       false,
       up("score", 0, 10),
       {{"merge", {{"train", 52248}, {"test", 14079}}}, {"unmerge", {{"train", 52726}, {"test", 13601}}}},
       "",
       "",
       read_tad66k});
  sets.push_back({"aadb",
                  "AADB",
                  9958,
                  0,
                  false,
                  up("score", 0, 1),
                  {{"", {{"train", 8458}, {"validation", 500}, {"test", 1000}}}},
                  "",
                  "",
                  read_aadb});
  sets.push_back(
      {"kadis700k",
       "KADIS-700k",
       700000,
       140000,
       true,
       std::nullopt,
       {{"", {}}},
       "",
       "dist_imgs is empty as it is published: the MATLAB code in the archive fills it; anchors of "
       "the references alone are {corpus: {directory: ref_imgs}, distortions: {}}",
       read_kadis700k});
  sets.push_back({"pipal",
                  "PIPAL",
                  23200,
                  200,
                  false,
                  up("Elo", 916.7136, 1835.9856),
                  {{"", {{"train", 23200}}}},
                  "",
                  "its validation and test parts have no public labels",
                  read_pipal});
  sets.push_back({"ava",
                  "AVA",
                  255530,
                  0,
                  false,
                  up("mean of votes", 1, 10),
                  {{"", {{"train", 235600}, {"test", 19930}}}},
                  "",
                  "",
                  read_ava});
  return sets;
}

}  // namespace

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> sets = make_benchmarks();
  return sets;
}

const Benchmark* find_benchmark(std::string_view name) {
  const auto& sets = benchmarks();
  const auto found =
      std::find_if(sets.begin(), sets.end(), [&](const Benchmark& set) { return set.name == name; });
  return found == sets.end() ? nullptr : &*found;
}

}  // namespace quasar::corpus
