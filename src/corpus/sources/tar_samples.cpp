#include "corpus/sources/tar_samples.h"

#include <algorithm>

namespace quasar::corpus {
namespace {

/// What stands before the last part of an extension, its dot included: "05." of "05.jpg".
std::string_view stem_of(std::string_view extension) {
  const std::size_t dot = extension.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : extension.substr(0, dot + 1);
}

bool has_member(const Sample& sample, const std::string& extension) {
  return sample.images.contains(extension) || sample.descriptions.contains(extension);
}

bool share_an_extension(const Sample& a, const Sample& b) {
  const auto in_a = [&](const auto& member) { return has_member(a, member.first); };
  return std::any_of(b.images.begin(), b.images.end(), in_a) ||
         std::any_of(b.descriptions.begin(), b.descriptions.end(), in_a);
}

bool has_both(const Sample& sample) {
  return !sample.images.empty() && !sample.descriptions.empty();
}

/// Whether a run of members can be a part of the sample that its key had before.
bool belongs_to(const Sample& before, const Sample& run) {
  if (before.archive != run.archive || share_an_extension(before, run)) return false;
  // Two with pictures are two samples, unless both still wait for their descriptions.
  return before.images.empty() || run.images.empty() || !(has_both(before) || has_both(run));
}

}  // namespace

SampleName sample_name(std::string_view member) {
  const std::size_t slash = member.rfind('/');
  const std::size_t dot = member.find('.', slash == std::string_view::npos ? 0 : slash + 1);
  if (dot == std::string_view::npos) return {member, ""};
  SampleName name{member.substr(0, dot), std::string(member.substr(dot + 1))};
  std::transform(name.extension.begin(), name.extension.end(), name.extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name;
}

void SampleCollector::add(std::size_t member, std::string_view name, std::size_t archive, MemberRole role) {
  auto [key, extension] = sample_name(name);
  // Within one sample an extension stands once.
  if (run_ && (run_->key != key || run_->archive != archive || has_member(*run_, extension))) close_run();
  if (!run_) {
    run_.emplace();
    run_->key = std::string(key);
    run_->archive = archive;
  }
  (role == MemberRole::kImage ? run_->images : run_->descriptions).emplace(std::move(extension), member);
}

void SampleCollector::close_run() {
  if (!run_) return;
  const auto found = last_.find(run_->key);
  if (found != last_.end() && belongs_to(samples_[found->second], *run_)) {
    Sample& before = samples_[found->second];
    before.images.merge(run_->images);
    before.descriptions.merge(run_->descriptions);
  } else {
    if (found != last_.end()) ++returned_;
    last_[run_->key] = samples_.size();
    samples_.push_back(*std::move(run_));
  }
  run_.reset();
}

std::vector<Sample> SampleCollector::take() {
  close_run();
  last_.clear();
  return std::move(samples_);
}

Description description_of(const Sample& sample, std::string_view image, std::string_view wanted) {
  const auto member = [&](const std::string& extension) -> std::optional<std::size_t> {
    const auto found = sample.descriptions.find(extension);
    return found == sample.descriptions.end() ? std::nullopt : std::optional(found->second);
  };
  const std::string_view stem = stem_of(image);
  if (const auto own = member(std::string(stem) + std::string(wanted))) return {own};
  if (const auto common = member(std::string(wanted))) return {common};
  Description description;
  for (const auto& [extension, number] : sample.descriptions) {
    const std::size_t cut = extension.size() - std::min(extension.size(), wanted.size());
    const std::string_view other = std::string_view(extension).substr(0, cut);
    if (std::string_view(extension).substr(cut) != wanted || other.empty() || other.back() != '.') continue;
    const bool of_another = std::any_of(sample.images.begin(), sample.images.end(),
                                        [&](const auto& entry) { return stem_of(entry.first) == other; });
    if (of_another) continue;
    if (description.member) return {std::nullopt, true};
    description.member = number;
  }
  return description;
}

}  // namespace quasar::corpus
