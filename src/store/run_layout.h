// Owns the names of all that lies in a run directory and in the folder of an embedded data set: whoever reads
// or writes there asks here. Nothing here looks at the disk.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::store {

/// The folder of an embedded data set.
class DataSetLayout {
 public:
  explicit DataSetLayout(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path plan() const;   ///< plan.json: sources and shards, frozen.
  std::filesystem::path items() const;  ///< items.jsonl: one line per image.
  std::filesystem::path embeddings() const { return folder_ / "embeddings"; }
  std::filesystem::path shard(int id) const;                                  ///< embeddings/shard-000042.h5
  std::filesystem::path joined() const { return folder_ / "embeddings.h5"; }  ///< Over all shards.
  std::filesystem::path metrics() const { return folder_ / "metrics"; }       ///< What ranks are at.
  /// metrics/rank-N.prom or, for one of several jobs on parts of the plan, metrics/part-I-rank-N.prom.
  std::filesystem::path metrics_file(int part, int parts, int rank) const;
  /// How the names of k-means' state files begin; `key` tells one clustering from another.
  std::filesystem::path kmeans_state(const std::string& key) const { return folder_ / ("clusters-" + key); }
  /// How the names of that part's metrics files begin.
  static std::string metrics_prefix(int part, int parts);

 private:
  std::filesystem::path folder_;
};

/// A run directory.
class RunLayout {
 public:
  explicit RunLayout(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  /// The corpus as an embedded data set: the run directory itself.
  DataSetLayout corpus() const { return DataSetLayout(root_); }
  std::filesystem::path config() const { return root_ / "config.yaml"; }  ///< In effect at the last start.
  std::filesystem::path identity() const { return root_ / "identity.json"; }  ///< Settings it is tied to.
  std::filesystem::path software() const { return root_ / "software.json"; }  ///< What embedded it.
  std::filesystem::path state() const { return root_ / "state"; }             ///< Locks and unfinished work.
  std::filesystem::path start_lock() const {
    return state() / "start.lock";
  }  ///< Held to begin or extend a run.
  std::filesystem::path rank_lock() const { return state() / "rank.lock"; }  ///< Held by the job that ranks.
  /// What rankings keep while they work, a folder for each job.
  std::filesystem::path rank_scratch() const { return root_ / "tmp" / "rank"; }

  std::filesystem::path anchors() const { return root_ / "anchors"; }
  std::filesystem::path anchor_file(const std::string& set) const { return anchors() / (set + ".h5"); }
  /// Embedded data sets beside the corpus (anchor data, distorted copies), by the address of their content.
  std::filesystem::path data_sets() const { return root_ / "data"; }
  DataSetLayout data_set(const std::string& address) const { return DataSetLayout(data_sets() / address); }
  /// Where versions before 0.2 kept the anchor data of a set, and the copies that `quasar agreement` made.
  DataSetLayout former_anchor_data(const std::string& set) const { return DataSetLayout(anchors() / set); }
  DataSetLayout former_agreement() const { return DataSetLayout(root_ / "agreement"); }

  std::filesystem::path scores() const { return root_ / "scores"; }
  std::filesystem::path scores(int shard) const;  ///< scores/shard-000042.h5

  /// Clusters of the corpus, which balancing makes.
  std::filesystem::path clusters() const { return root_ / "clusters"; }
  std::filesystem::path hierarchy() const { return clusters() / "hierarchy.bin"; }
  /// How the names of the state files of a hierarchy that is being made begin; `key` tells one from another.
  std::filesystem::path hierarchy_state(const std::string& key) const {
    return clusters() / ("kmeans-" + key);
  }

  std::filesystem::path manifest_csv() const { return root_ / "manifest.csv"; }
  std::filesystem::path manifest_jsonl() const { return root_ / "manifest.jsonl"; }
  std::filesystem::path summary() const { return root_ / "summary.json"; }
  std::filesystem::path report() const { return root_ / "report.html"; }
  /// evaluation.json, .csv and .html: agreement with the labels of the corpus.
  std::filesystem::path evaluation(const std::string& form) const { return root_ / ("evaluation." + form); }

 private:
  std::filesystem::path root_;
};

}  // namespace quasar::store
