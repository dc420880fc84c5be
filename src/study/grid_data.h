// Owns what all cells of a study have in common: lists of pictures, encoders and embedded data sets, each
// made once however many cells use it.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "comm/communicator.h"
#include "corpus/plan.h"
#include "dataset/data_set.h"
#include "store/anchor_file.h"
#include "study/study_config.h"

namespace quasar::study {

/// Pictures with a label, without which nothing is compared.
inline constexpr std::size_t kLeastRated = 3;

/// An encoder with its preprocessing and decoding, as it was opened.
struct Embedder {
  base::EncoderIdentity identity;
  std::size_t dimension = 0;
};

/// An embedded data set and how fast it was made.
struct EmbeddedSet {
  dataset::DataSet data;
  double pictures_per_second = 0;  ///< Of the embedding; 0 where that was done elsewhere.
};

struct GridData {
  /// By Cell::embedder.
  std::map<std::string, Embedder> embedders;
  /// By Cell::embedder, and Cell::corpus or Cell::anchor_data.
  std::map<std::pair<std::string, std::string>, EmbeddedSet> sets;
  /// Anchor sets that take no pictures, by place of the cell.
  std::map<std::size_t, store::AnchorSet> ready;
};

/// Lists every corpus, opens every encoder, and checks what can be checked before a picture is read; tells
/// on root what is to be embedded. Collective. Throws as run_study().
class GridDraft {
 public:
  GridDraft(const StudyConfig& config, const comm::Communicator& comm);

  /// Embeds what is missing. Collective.
  GridData make(const comm::Communicator& comm) const;

 private:
  const corpus::Plan& plan(const Cell& cell, bool of_anchors) const;
  void list(const comm::Communicator& comm);
  void open_encoders(const comm::Communicator& comm);
  void tell_cost(const comm::Communicator& comm) const;

  const StudyConfig& config_;
  std::map<std::string, corpus::Plan> plans_;  ///< On root, by Cell::corpus and Cell::anchor_data.
  std::map<std::string, Embedder> embedders_;
};

}  // namespace quasar::study
