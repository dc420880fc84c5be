#include "pipeline/run_config.h"

#include <algorithm>

#include "base/dataset_name.h"
#include "base/file_status.h"
#include "base/input_spec.h"
#include "base/shipped_file.h"
#include "curation/column_name.h"
#include "distort/distortion_table.h"
#include "encoder/encoder_yaml.h"

namespace quasar::pipeline {
namespace {

constexpr int kMaxThreads = 1024;
/// Below it not even the libraries fit.
constexpr std::int64_t kLeastRankMemory = std::int64_t{64} << 20U;

dataset::EmbedConfig embed_config_from_yaml(const base::ConfigNode& node) {
  dataset::EmbedConfig config;
  config.decode_threads = node.get_in<int>("decode_threads", config.decode_threads, 0, kMaxThreads);
  config.encode_threads = node.get_in<int>("encode_threads", config.encode_threads, 0, kMaxThreads);
  config.batches_in_flight = node.get_in<int>("batches_in_flight", config.batches_in_flight, 1, kMaxThreads);
  config.stall_timeout_s = node.get_in<double>("stall_timeout", config.stall_timeout_s, 0.1, 604800);
  config.perceptual_hashes =
      node.get_enum<int>("perceptual_hash", 0, {{"false", 0}, {"true", 1}, {"poses", 8}});
  node.has("store");
  return config;
}

std::vector<std::string> prompts_from_yaml(const base::ConfigNode& node) {
  std::vector<std::string> prompts;
  for (const auto& element : node.elements()) {
    prompts.push_back(element.as<std::string>());
    if (prompts.back().empty()) element.fail("a prompt must not be empty");
  }
  return prompts;
}

/// Files of vectors; of one named "FILE::DATASET" the file has to be there.
std::vector<std::filesystem::path> vectors_from_yaml(const base::ConfigNode& node) {
  std::vector<std::filesystem::path> files;
  for (const auto& element : node.elements()) {
    const auto name = base::resolve_dataset_name(element.as<std::string>());
    if (!std::filesystem::is_regular_file(
            base::file_status(name.file, element.where() + ": " + element.key())))
      base::fail(base::ExitCode::kInput, element.where() + ": " + element.key() +
                                             ": there is no file of vectors " + name.file.string());
    files.push_back(name.text());
  }
  return files;
}

void read_vector_anchors(const base::ConfigNode& node, AnchorSource& source) {
  source.good_vectors = vectors_from_yaml(node.child("good_vectors"));
  source.bad_vectors = vectors_from_yaml(node.child("bad_vectors"));
  if (source.good_vectors.empty() || source.bad_vectors.empty())
    node.fail("both \"good_vectors\" and \"bad_vectors\" are needed, each a file or a list of files");
  source.recipe.aggregate.aggregation =
      node.get_enum("aggregation", anchors::Aggregation::kMean,
                    {{"mean", anchors::Aggregation::kMean}, {"multi", anchors::Aggregation::kMulti}});
}

AnchorSource anchor_source_from_yaml(const std::string& name, const base::ConfigNode& node) {
  AnchorSource source;
  source.name = name;
  source.recipe_text = node.dump();
  if (node.is_scalar()) {
    source.file = base::resolve_input_file(node.as<std::filesystem::path>());
    return source;
  }
  const bool has_file = node.has("file");
  const bool has_corpus = node.has("corpus");
  const bool has_distortions = node.has("distortions");
  const bool has_good = node.has("good");
  const bool has_prompts = has_good || node.has("bad");
  const bool has_good_vectors = node.has("good_vectors");
  const bool has_vectors = has_good_vectors || node.has("bad_vectors");
  if (static_cast<int>(has_file) + static_cast<int>(has_corpus) + static_cast<int>(has_prompts) +
          static_cast<int>(has_vectors) !=
      1) {
    node.fail(
        "give one of \"file\" (an anchor file), \"corpus\" (anchor data to build from), \"good\" and "
        "\"bad\" (prompts), or \"good_vectors\" and \"bad_vectors\" (published centroids)");
  }
  if (has_distortions && !has_corpus)
    node.fail("\"distortions\" needs \"corpus\": the pristine pictures to degrade");
  if (has_vectors) {
    read_vector_anchors(node, source);
  } else if (has_prompts) {
    source.good_prompts = prompts_from_yaml(node.child("good"));
    source.bad_prompts = prompts_from_yaml(node.child("bad"));
    if (source.good_prompts.empty() || source.good_prompts.size() != source.bad_prompts.size()) {
      node.fail("text anchors come in pairs: \"good\" holds " + std::to_string(source.good_prompts.size()) +
                " prompts and \"bad\" " + std::to_string(source.bad_prompts.size()));
    }
  } else if (has_file) {
    source.file = base::resolve_input_file(node.child("file").as<std::filesystem::path>());
  } else {
    source.corpus = corpus::corpus_config_from_yaml(node.child("corpus"));
    if (has_distortions) source.distortions = distortion_recipe_from_yaml(node.child("distortions"));
    source.recipe = anchors::anchor_recipe_from_yaml(node.child("recipe"));
    if (source.recipe.kind == anchors::AnchorKind::kFullReference && !has_distortions) {
      // The good side: where a benchmark has reference pictures, they are wanted.
      for (auto& part : source.corpus->sources) part.references = corpus::has_references(part);
    }
    if (has_distortions && source.recipe.kind != anchors::AnchorKind::kFullReference) {
      node.fail("\"distortions\" makes full-reference anchor data; set recipe.kind: full_reference");
    }
  }
  node.finish();
  return source;
}

void check_text_anchors(const base::ConfigNode& root, const encoder::EncoderConfig& encoder,
                        const AnchorSource& source) {
  if (!source.from_prompts()) return;
  const auto node = root.child("anchors").child(source.name);
  if (!encoder::has_text_tower(encoder.architecture)) {
    node.fail("text anchors need a CLIP or CoCa encoder; " + encoder.architecture + " has no text tower");
  }
  if (encoder.vocabulary.empty()) {
    node.fail(
        "text anchors need encoder.vocabulary: the file bpe_simple_vocab_16e6.txt.gz of CLIP "
        "(tools/fetch-weights "
        "vocabulary)");
  }
}

/// Names, sizes and times of files, a line each: what tells that they have changed without reading them.
std::string state_of(const std::vector<std::filesystem::path>& files) {
  std::string text;
  for (const auto& name : files) {
    const auto file = base::parse_dataset_name(name.string()).file;
    std::error_code gone;
    const auto size = std::filesystem::file_size(file, gone);
    const auto time = std::filesystem::last_write_time(file, gone);
    text +=
        name.string() +
        (gone ? " (gone)"
              : " " + std::to_string(size) + " bytes of " + std::to_string(time.time_since_epoch().count())) +
        "\n";
  }
  return text;
}

void check_imported(const base::ConfigNode& root, const RunConfig& config) {
  if (config.encoder.architecture != encoder::kImported) return;
  for (const auto& source : config.anchors) {
    if (source.distortions)
      root.child("anchors")
          .child(source.name)
          .child("distortions")
          .fail("degraded copies have to be embedded, and imported vectors are no encoder");
  }
}

store::RunIdentity identity_of(const RunConfig& config) {
  const auto& decode = config.decode;
  const auto& encoder = config.encoder;
  store::RunIdentity identity;
  identity["decode.mode, decode.honour_orientation"] = image::describe(decode);
  identity["decode.max_pixels"] = std::to_string(decode.max_pixels);
  identity["decode.max_side"] = std::to_string(decode.max_side);
  identity["decode.min_side"] = std::to_string(decode.min_side);
  identity["decode.max_file_bytes"] = std::to_string(decode.max_file_bytes);
  identity["encoder.architecture"] = encoder::describe_architecture(encoder);
  identity["encoder.input"] = base::describe(encoder::effective_input(encoder));
  identity["encoder.output"] = encoder.output_key + "/" + std::to_string(encoder.output_index);
  identity["encoder.precision"] = std::to_string(static_cast<int>(encoder.precision));
  if (encoder.architecture == encoder::kImported) {
    identity["encoder.name"] = encoder.name;
    identity["encoder.vectors, encoder.ids"] = state_of(encoder.vectors) + state_of(encoder.ids);
  }
  identity["encoder.batch_size"] = std::to_string(encoder.batch_size);
  // Named where it is on, so that runs of before go on.
  if (config.embed.perceptual_hashes > 0)
    identity["embed.perceptual_hash"] = config.embed.perceptual_hashes == 1 ? "upright" : "poses";
  identity["embed.store"] = config.half ? "float16" : "float32";
  return identity;
}

}  // namespace

dataset::DistortionRecipe distortion_recipe_from_yaml(const base::ConfigNode& node) {
  dataset::DistortionRecipe recipe;
  for (const auto& element : node.child("kinds").elements()) {
    const auto name = element.as<std::string>();
    const auto kind = distort::find_kind(name);
    if (!kind) element.fail(distort::no_such_kind(name));
    recipe.kinds.push_back(static_cast<int>(*kind));
  }
  for (const auto& element : node.child("levels").elements()) {
    const int level = element.as<int>();
    if (level < 1 || level > 5) element.fail("a distortion level lies between 1 and 5");
    recipe.levels.push_back(level);
  }
  recipe.seed = static_cast<std::uint64_t>(node.get_in<std::int64_t>("seed", 42, 0, INT64_MAX));
  node.finish();
  return recipe;
}

RunConfig load_run_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                          corpus::SourcePresence corpus, AnchorNeed need) {
  return load_run_config(base::ConfigNode::parse_file(path, overrides), path.string(), corpus, need);
}

RunConfig load_run_config(const base::ConfigNode& root, const std::string& name,
                          corpus::SourcePresence corpus, AnchorNeed need) {
  RunConfig config;
  config.run = store::RunLayout(root.require<std::filesystem::path>("run"));
  config.shared = root.get<std::filesystem::path>("embeddings", {});
  config.corpus = corpus::corpus_config_from_yaml(root.child("corpus"), corpus);
  config.decode = image::decode_config_from_yaml(root.child("decode"));
  config.encoder =
      encoder::encoder_config_from_yaml(root.child("encoder"), corpus == corpus::SourcePresence::kRequired);
  const auto embed = root.child("embed");
  config.embed = embed_config_from_yaml(embed);
  config.cpu_capability =
      embed.get_enum("cpu_capability", base::CpuCapability::kNative, base::cpu_capabilities());
  config.half = embed.get_enum<bool>("store", false, {{"float32", false}, {"float16", true}});
  const auto anchor_sets = root.child("anchors");
  if (need == AnchorNeed::kSome && anchor_sets.entries().empty())
    anchor_sets.fail("no anchor set is configured; name at least one, as configs/folder.yaml does");
  for (const auto& [set, node] : anchor_sets.entries()) {
    // The name stands in no key of the message, which could be unprintable.
    if (const auto fault = curation::fault_of_name(set); !fault.empty())
      base::fail(base::ExitCode::kConfig, node.where() + ": anchors: " + fault);
    config.anchors.push_back(anchor_source_from_yaml(set, node));
  }
  config.curation = curation::curation_config_from_yaml(root.child("curation"));
  config.exports = exports::export_configs_from_yaml(root.child("export"));
  // Copies are found by hashes that are made while pictures are decoded.
  config.embed.perceptual_hashes =
      std::max(config.embed.perceptual_hashes, config.curation.duplicates.hashes());
  curation::check_embeddings(root.child("curation").child("duplicates"), config.curation.duplicates,
                             config.encoder.architecture == encoder::kMini);
  config.memory = root.get_in<std::int64_t>("memory", 0, kLeastRankMemory, INT64_MAX / 2);
  if (config.memory > 0 && !root.child("curation").has("memory")) {
    config.halved_for_ranking = true;
    config.curation.memory = std::clamp(config.memory / 2, curation::kLeastMemory, config.curation.memory);
  }
  root.finish();
  for (const auto& anchor : config.anchors) {
    if (anchor.file.empty()) continue;
    const std::string where = name + ": anchors." + anchor.name;
    if (!std::filesystem::is_regular_file(base::file_status(anchor.file, where)))
      base::fail(base::ExitCode::kInput, where + ": there is no anchor file " + anchor.file.string());
  }
  for (const auto& anchor : config.anchors) check_text_anchors(root, config.encoder, anchor);
  check_imported(root, config);
  std::vector<std::string> sets;
  for (const auto& anchor : config.anchors) sets.push_back(anchor.name);
  for (const auto& anchor : config.anchors) {
    if (anchor.recipe.uncertainty.draws > 0 &&
        std::find(sets.begin(), sets.end(), curation::error_column(anchor.name)) != sets.end())
      root.child("anchors").fail("the standard errors of \"" + anchor.name + "\" are a column \"" +
                                 curation::error_column(anchor.name) + "\", so no set can be named so");
  }
  curation::check_columns(root.child("curation"), config.curation, sets);
  config.identity = identity_of(config);
  config.effective = root.dump();
  return config;
}

}  // namespace quasar::pipeline
