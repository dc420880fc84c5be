#include "pipeline/copy_recall.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/errors.h"
#include "base/progress.h"
#include "base/random.h"
#include "image/pdq.h"
#include "image/resize.h"
#include "pipeline/folder_items.h"
#include "pipeline/picture_files.h"

namespace quasar::pipeline {
namespace {

using image::PdqHash;
using image::RgbImage;

/// What is known of a copy beside its photo.
struct Copy {
  std::optional<int> bits;       ///< Between the hashes; nothing where one of them says too little.
  std::optional<int> pose_bits;  ///< The least over the photo's poses.
  double cosine = -1;
};

struct Photo {
  std::filesystem::path path;
  std::array<PdqHash, image::kPdqPoses> hashes;
  std::vector<float> embedding;  ///< Of length 1; empty without an encoder.
  std::vector<Copy> copies;      ///< By alteration; empty where none were made.
};

std::vector<std::filesystem::path> pictures_of(const std::vector<std::filesystem::path>& folders) {
  std::vector<std::filesystem::path> pictures;
  for (const auto& folder : folders) {
    for (const auto& item : items_of_folder(folder)) pictures.emplace_back(item.source);
  }
  if (pictures.empty()) base::fail(base::ExitCode::kInput, "the folders hold no picture");
  return pictures;
}

/// The encoder's word on a picture, of length 1; empty for one that it does not take.
std::vector<float> embedded(const RgbImage& picture, encoder::Encoder& encoder) {
  if (std::min(picture.width, picture.height) < encoder.input_spec().min_side) return {};
  const auto input = image::fit(picture, encoder.input_spec());
  std::vector<float> values(static_cast<std::size_t>(encoder.dimension()));
  encoder.encode({.count = 1, .height = input.height, .width = input.width, .pixels = input.pixels}, values);
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * value;
  if (!(square > 0) || !std::isfinite(square)) return {};
  for (auto& value : values) value = static_cast<float>(value / std::sqrt(square));
  return values;
}

/// Below every threshold where there is none.
double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.empty() || b.empty()) return -2;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// The least distance of a hash from any of the first `poses`.
std::optional<int> bits_between(const std::array<PdqHash, image::kPdqPoses>& poses, std::size_t count,
                                const PdqHash& other, int quality) {
  if (poses[0].quality < quality || other.quality < quality) return std::nullopt;
  int least = std::numeric_limits<int>::max();
  for (std::size_t pose = 0; pose < count; ++pose)
    least = std::min(least, image::hamming_distance(poses[pose], other));
  return least;
}

class Measurement {
 public:
  Measurement(const CopyRecallJob& job, encoder::Encoder* encoder) : job_(job), encoder_(encoder) {}

  void read(int workers) {
    const auto all = pictures_of(job_.folders);
    std::vector<std::filesystem::path> files;
    for (const auto place : spread_evenly(all.size(), std::max(job_.distinct, job_.count)))
      files.push_back(all[place]);
    const auto chosen = spread_evenly(files.size(), job_.count);
    const std::set<std::size_t> altered(chosen.begin(), chosen.end());
    std::vector<std::optional<Photo>> photos(files.size());
    std::uint64_t done = 0;
    base::Progress progress("copies", "photos", files.size());
    PictureFiles(workers).for_each(files, [&](std::size_t place, PictureFile& picture) {
      auto photo = look_at(files[place], place, picture, altered.contains(place));
      const std::lock_guard lock(mutex_);
      photos[place] = std::move(photo);
      progress.update(++done);
    });
    progress.finish();
    for (auto& photo : photos) {
      if (photo) photos_.push_back(std::move(*photo));
    }
  }

  CopyRecall result() {
    result_.distinct = photos_.size();
    for (const auto& photo : photos_) {
      result_.altered += photo.copies.empty() ? 0 : 1;
      result_.flat += photo.hashes[0].quality < job_.quality ? 1 : 0;
    }
    if (result_.altered == 0) {
      std::string why;
      for (const auto& [reason, count] : result_.left_out) why += fmt::format(" {} {},", count, reason);
      if (!why.empty()) why.back() = ')';
      base::fail(base::ExitCode::kNoResult,
                 "not one picture could be altered" + (why.empty() ? "" : " (" + why.substr(1)));
    }
    result_.pairs = result_.distinct * (result_.distinct - 1) / 2;
    for (const bool poses : {false, true}) {
      const auto bits_of = [&](const Copy& copy) { return poses ? copy.pose_bits : copy.bits; };
      std::vector<std::size_t> made;
      for (const int bits : job_.bits) {
        made.push_back(result_.searches.size());
        add(poses ? "PDQ, 8 poses" : "PDQ", bits,
            [&](const Copy& copy) { return bits_of(copy) && *bits_of(copy) <= bits; });
      }
      compare_photos(
          poses ? "PDQ, 8 poses" : "PDQ", made,
          [&](const Photo& a, const Photo& b) -> std::optional<double> {
            return bits_between(a.hashes, poses ? image::kPdqPoses : 1, b.hashes[0], job_.quality);
          },
          [](double value, double limit) { return value <= limit; });
    }
    if (encoder_ != nullptr) {
      std::vector<std::size_t> made;
      for (const double least : job_.cosines) {
        made.push_back(result_.searches.size());
        add("cosine", least, [&](const Copy& copy) { return copy.cosine >= least; });
      }
      compare_photos(
          "cosine", made,
          [](const Photo& a, const Photo& b) -> std::optional<double> {
            return cosine(a.embedding, b.embedding);
          },
          [](double value, double limit) { return value >= limit; });
    }
    return std::move(result_);
  }

 private:
  std::optional<Photo> look_at(const std::filesystem::path& path, std::size_t place, PictureFile& picture,
                               bool with_copies) {
    const int least = std::max(distort::kLeastAlteredSide, encoder_ ? encoder_->input_spec().min_side : 1);
    std::string_view why;
    if (picture.status != base::RowStatus::kOk) {
      why = base::status_name(picture.status);
    } else if (std::min(picture.width, picture.height) < least) {
      why = base::status_name(base::RowStatus::kTooSmall);
    }
    if (!why.empty()) {
      const std::lock_guard lock(mutex_);
      ++result_.left_out[std::string(why)];
      return std::nullopt;
    }
    const RgbImage image = rgb_of(picture);
    Photo photo;
    photo.path = path;
    photo.hashes = image::pdq_hashes(image.pixels, image.width, image.height, 3);
    if (encoder_ != nullptr) photo.embedding = embedded(image, *encoder_);
    if (!with_copies) return photo;
    for (const auto& alteration : distort::alterations()) {
      const auto copy = distort::altered(image, alteration, base::derive_seed(job_.seed, place));
      const auto hash = image::pdq_hash(copy.pixels, copy.width, copy.height, 3);
      auto& found = photo.copies.emplace_back();
      found.bits = bits_between(photo.hashes, 1, hash, job_.quality);
      found.pose_bits = bits_between(photo.hashes, image::kPdqPoses, hash, job_.quality);
      if (encoder_ != nullptr) found.cosine = cosine(photo.embedding, embedded(copy, *encoder_));
    }
    return photo;
  }

  static RgbImage rgb_of(PictureFile& picture) {
    RgbImage image;
    image.width = picture.width;
    image.height = picture.height;
    if (picture.channels == 3) {
      image.pixels = std::move(picture.pixels);
    } else {
      for (const auto value : picture.pixels) image.pixels.insert(image.pixels.end(), 3, value);
    }
    return image;
  }

  template <typename IsFound>
  void add(const std::string& name, double threshold, const IsFound& is_found) {
    auto& search = result_.searches.emplace_back();
    search.name = name;
    search.threshold = threshold;
    const auto table = distort::alterations();
    search.found.assign(table.size(), 0);
    std::array<std::uint64_t, distort::kAlterationGroups> found{};
    std::array<std::uint64_t, distort::kAlterationGroups> made{};
    for (const auto& photo : photos_) {
      for (std::size_t a = 0; a < photo.copies.size(); ++a) {
        const auto group = static_cast<std::size_t>(table[a].group);
        ++made[group];
        if (!is_found(photo.copies[a])) continue;
        ++found[group];
        ++search.found[a];
      }
    }
    for (std::size_t group = 0; group < made.size(); ++group)
      search.recall[group] = static_cast<double>(found[group]) / static_cast<double>(made[group]);
  }

  /// Counts the pairs of photos that the searches of this name take for copies, and notes the nearest.
  template <typename Value, typename Within>
  void compare_photos(const std::string& name, const std::vector<std::size_t>& searches, const Value& value,
                      const Within& within) {
    std::optional<NearestPhotos> nearest;
    for (std::size_t a = 0; a < photos_.size(); ++a) {
      for (std::size_t b = a + 1; b < photos_.size(); ++b) {
        const std::optional<double> found = value(photos_[a], photos_[b]);
        if (!found) continue;
        for (const auto search : searches) {
          if (within(*found, result_.searches[search].threshold)) ++result_.searches[search].false_positives;
        }
        if (!nearest || (*found != nearest->value && within(*found, nearest->value)))
          nearest = NearestPhotos{name, *found, photos_[a].path, photos_[b].path};
      }
    }
    if (nearest) result_.nearest.push_back(*nearest);
  }

  const CopyRecallJob& job_;
  encoder::Encoder* encoder_;
  std::vector<Photo> photos_;
  std::mutex mutex_;
  CopyRecall result_;
};

}  // namespace

CopyRecall measure_copy_recall(const CopyRecallJob& job, encoder::Encoder* encoder, int workers) {
  Measurement measurement(job, encoder);
  measurement.read(workers);
  return measurement.result();
}

std::string to_json(const CopyRecall& recall) {
  using nlohmann::ordered_json;
  ordered_json json = {{"schema_version", 1},
                       {"altered", recall.altered},
                       {"distinct", recall.distinct},
                       {"pairs", recall.pairs},
                       {"flat", recall.flat},
                       {"left_out", recall.left_out},
                       {"searches", ordered_json::array()},
                       {"nearest", ordered_json::array()}};
  for (const auto& search : recall.searches) {
    ordered_json groups = ordered_json::object();
    for (std::size_t group = 0; group < distort::kAlterationGroups; ++group)
      groups[std::string(distort::describe(static_cast<distort::AlterationGroup>(group)))] =
          search.recall[group];
    ordered_json kinds = ordered_json::object();
    for (std::size_t a = 0; a < search.found.size(); ++a) {
      kinds[std::string(distort::alterations()[a].name)] =
          static_cast<double>(search.found[a]) / static_cast<double>(recall.altered);
    }
    json["searches"].push_back({{"name", search.name},
                                {"threshold", search.threshold},
                                {"recall", groups},
                                {"recall_by_alteration", kinds},
                                {"false_positives", search.false_positives}});
  }
  for (const auto& pair : recall.nearest) {
    json["nearest"].push_back({{"name", pair.name},
                               {"value", pair.value},
                               {"first", pair.first.string()},
                               {"second", pair.second.string()}});
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace quasar::pipeline
