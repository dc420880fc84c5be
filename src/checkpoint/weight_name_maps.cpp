#include "checkpoint/weight_name_maps.h"

#include <array>

#include "base/errors.h"

namespace quasar::checkpoint {
namespace {

// Sources: huggingface/transformers, modeling_clip.py, convert_dinov2_to_hf.py, convert_dinov3_vit_to_hf.py,
// modeling_siglip.py; huggingface/pytorch-image-models, timm/models/vision_transformer.py
// (checkpoint_filter_fn, _convert_openai_clip, _convert_dinov2) and eva.py.

constexpr auto kHfClip = std::to_array<NameRule>({
    {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
    {"vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"},
    {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
    {"vision_model.embeddings.position_ids", "", Form::kLeftOut},
    {"vision_model.pre_layrnorm.*", "visual.ln_pre.*"},  // Spelt so.
    {"vision_model.post_layernorm.*", "visual.ln_post.*"},
    {"visual_projection.weight", "visual.proj", Form::kTransposed},
    {"vision_model.encoder.layers.#.layer_norm1.*", "visual.transformer.resblocks.#.ln_1.*"},
    {"vision_model.encoder.layers.#.layer_norm2.*", "visual.transformer.resblocks.#.ln_2.*"},
    {"vision_model.encoder.layers.#.self_attn.q_proj.*", "visual.transformer.resblocks.#.attn.in_proj_*",
     Form::kAsIs, 0, 3},
    {"vision_model.encoder.layers.#.self_attn.k_proj.*", "visual.transformer.resblocks.#.attn.in_proj_*",
     Form::kAsIs, 1, 3},
    {"vision_model.encoder.layers.#.self_attn.v_proj.*", "visual.transformer.resblocks.#.attn.in_proj_*",
     Form::kAsIs, 2, 3},
    {"vision_model.encoder.layers.#.self_attn.out_proj.*", "visual.transformer.resblocks.#.attn.out_proj.*"},
    {"vision_model.encoder.layers.#.mlp.fc1.*", "visual.transformer.resblocks.#.mlp.c_fc.*"},
    {"vision_model.encoder.layers.#.mlp.fc2.*", "visual.transformer.resblocks.#.mlp.c_proj.*"},
    {"text_model.embeddings.token_embedding.weight", "token_embedding.weight"},
    {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
    {"text_model.embeddings.position_ids", "", Form::kLeftOut},
    {"text_model.final_layer_norm.*", "ln_final.*"},
    {"text_projection.weight", "text_projection", Form::kTransposed},
    {"text_model.encoder.layers.#.layer_norm1.*", "transformer.resblocks.#.ln_1.*"},
    {"text_model.encoder.layers.#.layer_norm2.*", "transformer.resblocks.#.ln_2.*"},
    {"text_model.encoder.layers.#.self_attn.q_proj.*", "transformer.resblocks.#.attn.in_proj_*", Form::kAsIs,
     0, 3},
    {"text_model.encoder.layers.#.self_attn.k_proj.*", "transformer.resblocks.#.attn.in_proj_*", Form::kAsIs,
     1, 3},
    {"text_model.encoder.layers.#.self_attn.v_proj.*", "transformer.resblocks.#.attn.in_proj_*", Form::kAsIs,
     2, 3},
    {"text_model.encoder.layers.#.self_attn.out_proj.*", "transformer.resblocks.#.attn.out_proj.*"},
    {"text_model.encoder.layers.#.mlp.fc1.*", "transformer.resblocks.#.mlp.c_fc.*"},
    {"text_model.encoder.layers.#.mlp.fc2.*", "transformer.resblocks.#.mlp.c_proj.*"},
});

constexpr auto kTimmClip = std::to_array<NameRule>({
    {"cls_token", "visual.class_embedding", Form::kWithoutOnes},
    {"pos_embed", "visual.positional_embedding", Form::kWithoutOnes},
    {"patch_embed.proj.weight", "visual.conv1.weight"},
    {"norm_pre.*", "visual.ln_pre.*"},
    {"norm.*", "visual.ln_post.*"},
    {"head.weight", "visual.proj", Form::kTransposed},
    {"head.bias", "", Form::kZeros},
    {"blocks.#.norm1.*", "visual.transformer.resblocks.#.ln_1.*"},
    {"blocks.#.norm2.*", "visual.transformer.resblocks.#.ln_2.*"},
    {"blocks.#.attn.qkv.*", "visual.transformer.resblocks.#.attn.in_proj_*"},
    {"blocks.#.attn.proj.*", "visual.transformer.resblocks.#.attn.out_proj.*"},
    {"blocks.#.mlp.fc1.*", "visual.transformer.resblocks.#.mlp.c_fc.*"},
    {"blocks.#.mlp.fc2.*", "visual.transformer.resblocks.#.mlp.c_proj.*"},
});

constexpr auto kHfDinoV2 = std::to_array<NameRule>({
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.mask_token", "mask_token"},
    {"embeddings.register_tokens", "register_tokens"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
    {"encoder.layer.#.norm1.*", "blocks.#.norm1.*"},
    {"encoder.layer.#.norm2.*", "blocks.#.norm2.*"},
    {"encoder.layer.#.attention.attention.query.*", "blocks.#.attn.qkv.*", Form::kAsIs, 0, 3},
    {"encoder.layer.#.attention.attention.key.*", "blocks.#.attn.qkv.*", Form::kAsIs, 1, 3},
    {"encoder.layer.#.attention.attention.value.*", "blocks.#.attn.qkv.*", Form::kAsIs, 2, 3},
    {"encoder.layer.#.attention.output.dense.*", "blocks.#.attn.proj.*"},
    {"encoder.layer.#.layer_scale1.lambda1", "blocks.#.ls1.gamma"},
    {"encoder.layer.#.layer_scale2.lambda1", "blocks.#.ls2.gamma"},
    {"encoder.layer.#.mlp.fc1.*", "blocks.#.mlp.fc1.*"},
    {"encoder.layer.#.mlp.fc2.*", "blocks.#.mlp.fc2.*"},
    {"encoder.layer.#.mlp.weights_in.*", "blocks.#.mlp.w12.*"},
    {"encoder.layer.#.mlp.weights_out.*", "blocks.#.mlp.w3.*"},
    {"layernorm.*", "norm.*"},
    {"classifier.*", "", Form::kLeftOut},
});

/// timm's SwiGLU has the names of the plain network.
constexpr NameRule kPackedExpand = {
    "blocks.#.mlp.fc1.*", "blocks.#.mlp.w12.*", Form::kAsIs, 0, 1, false, "", true};
constexpr NameRule kPackedContract = {
    "blocks.#.mlp.fc2.*", "blocks.#.mlp.w3.*", Form::kAsIs, 0, 1, false, "", true};

/// timm keeps no positional row for the class token where there are registers: it is part of the token.
constexpr auto kTimmDinoV2Registers = std::to_array<NameRule>({
    {"reg_token", "register_tokens"},
    {"pos_embed", "pos_embed", Form::kAfterZeroRow},
    kPackedExpand,
    kPackedContract,
    {"head.*", "", Form::kLeftOut},
});

constexpr auto kDinoV2 =
    std::to_array<NameRule>({kPackedExpand, kPackedContract, {"head.*", "", Form::kLeftOut}});

constexpr auto kHfDinoV3 = std::to_array<NameRule>({
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.register_tokens", "storage_tokens"},
    {"embeddings.mask_token", "", Form::kLeftOut},
    {"embeddings.patch_embeddings.*", "patch_embed.proj.*"},
    {"layer.#.norm1.*", "blocks.#.norm1.*"},
    {"layer.#.norm2.*", "blocks.#.norm2.*"},
    {"layer.#.attention.q_proj.weight", "blocks.#.attn.qkv.weight", Form::kAsIs, 0, 3},
    {"layer.#.attention.k_proj.weight", "blocks.#.attn.qkv.weight", Form::kAsIs, 1, 3},
    {"layer.#.attention.v_proj.weight", "blocks.#.attn.qkv.weight", Form::kAsIs, 2, 3},
    {"layer.#.attention.q_proj.bias", "blocks.#.attn.qkv.bias", Form::kAsIs, 0, 3, true},
    {"layer.#.attention.k_proj.bias", "blocks.#.attn.qkv.bias", Form::kAsIs, 1, 3, true},
    {"layer.#.attention.v_proj.bias", "blocks.#.attn.qkv.bias", Form::kAsIs, 2, 3, true},
    {"layer.#.attention.o_proj.*", "blocks.#.attn.proj.*"},
    {"layer.#.layer_scale1.lambda1", "blocks.#.ls1.gamma"},
    {"layer.#.layer_scale2.lambda1", "blocks.#.ls2.gamma"},
    {"layer.#.mlp.gate_proj.*", "blocks.#.mlp.w1.*"},
    {"layer.#.mlp.up_proj.*", "blocks.#.mlp.w2.*", Form::kAsIs, 0, 1, false, "layer.#.mlp.gate_proj.weight"},
    {"layer.#.mlp.down_proj.*", "blocks.#.mlp.w3.*", Form::kAsIs, 0, 1, false,
     "layer.#.mlp.gate_proj.weight"},
    {"layer.#.mlp.up_proj.*", "blocks.#.mlp.fc1.*"},
    {"layer.#.mlp.down_proj.*", "blocks.#.mlp.fc2.*"},
    {"norm.*", "norm.*"},
});

constexpr auto kTimmDinoV3 = std::to_array<NameRule>({
    {"reg_token", "storage_tokens"},
    {"blocks.#.attn.q_bias", "blocks.#.attn.qkv.bias", Form::kAsIs, 0, 3, true},
    {"blocks.#.attn.k_bias", "blocks.#.attn.qkv.bias", Form::kAsIs, 1, 3, true},
    {"blocks.#.attn.v_bias", "blocks.#.attn.qkv.bias", Form::kAsIs, 2, 3, true},
    {"blocks.#.gamma_1", "blocks.#.ls1.gamma"},
    {"blocks.#.gamma_2", "blocks.#.ls2.gamma"},
    {"blocks.#.mlp.fc1_g.*", "blocks.#.mlp.w1.*"},
    {"blocks.#.mlp.fc1_x.*", "blocks.#.mlp.w2.*"},
    {"blocks.#.mlp.fc2.*", "blocks.#.mlp.w3.*", Form::kAsIs, 0, 1, false, "blocks.#.mlp.fc1_g.weight"},
    {"head.*", "", Form::kLeftOut},
});

constexpr auto kDinoV3 =
    std::to_array<NameRule>({{"local_cls_norm.*", "", Form::kLeftOut}, {"head.*", "", Form::kLeftOut}});

constexpr auto kHfSigLip = std::to_array<NameRule>({
    {"vision_model.embeddings.patch_embedding.*", "patch_embed.proj.*"},
    {"vision_model.embeddings.position_embedding.weight", "pos_embed", Form::kWithOne},
    {"vision_model.embeddings.position_ids", "", Form::kLeftOut},
    {"vision_model.encoder.layers.#.layer_norm1.*", "blocks.#.norm1.*"},
    {"vision_model.encoder.layers.#.layer_norm2.*", "blocks.#.norm2.*"},
    {"vision_model.encoder.layers.#.self_attn.q_proj.*", "blocks.#.attn.qkv.*", Form::kAsIs, 0, 3},
    {"vision_model.encoder.layers.#.self_attn.k_proj.*", "blocks.#.attn.qkv.*", Form::kAsIs, 1, 3},
    {"vision_model.encoder.layers.#.self_attn.v_proj.*", "blocks.#.attn.qkv.*", Form::kAsIs, 2, 3},
    {"vision_model.encoder.layers.#.self_attn.out_proj.*", "blocks.#.attn.proj.*"},
    {"vision_model.encoder.layers.#.mlp.*", "blocks.#.mlp.*"},
    {"vision_model.post_layernorm.*", "norm.*"},
    {"vision_model.head.probe", "attn_pool.latent"},
    {"vision_model.head.attention.in_proj_weight", "attn_pool.qkv.weight"},
    {"vision_model.head.attention.in_proj_bias", "attn_pool.qkv.bias"},
    {"vision_model.head.attention.out_proj.*", "attn_pool.proj.*"},
    {"vision_model.head.layernorm.*", "attn_pool.norm.*"},
    {"vision_model.head.mlp.*", "attn_pool.mlp.*"},
    {"text_model.*", "", Form::kLeftOut},
    {"logit_scale", "", Form::kLeftOut},
    {"logit_bias", "", Form::kLeftOut},
});

constexpr auto kTimmSigLip = std::to_array<NameRule>({
    {"attn_pool.q.*", "attn_pool.qkv.*", Form::kAsIs, 0, 2},
    {"attn_pool.kv.*", "attn_pool.qkv.*", Form::kAsIs, 1, 2},
    {"head.*", "", Form::kLeftOut},
});

constexpr auto kClipNamings = std::to_array<Naming>({
    {"OpenAI and open_clip", "visual.conv1.weight", "", "", {}, true},
    {"Hugging Face", "vision_model.embeddings.class_embedding", "vision_model.pre_layrnorm.weight", "",
     kHfClip},
    {"timm", "norm_pre.weight", "patch_embed.proj.weight", "", kTimmClip},
});
constexpr auto kDinoV2Namings = std::to_array<Naming>({
    {"Hugging Face", "embeddings.position_embeddings", "embeddings.patch_embeddings.projection.weight", "",
     kHfDinoV2},
    {"timm (with registers)", "reg_token", "blocks.0.ls1.gamma", "", kTimmDinoV2Registers},
    {"facebookresearch/dinov2 and timm", "pos_embed", "blocks.0.ls1.gamma", "", kDinoV2, true},
});
constexpr auto kDinoV3Namings = std::to_array<Naming>({
    {"Hugging Face", "embeddings.register_tokens", "embeddings.patch_embeddings.weight", "model.", kHfDinoV3},
    {"timm", "reg_token", "blocks.0.gamma_1", "", kTimmDinoV3},
    {"facebookresearch/dinov3", "storage_tokens", "blocks.0.ls1.gamma", "", kDinoV3, true},
});
constexpr auto kSigLipNamings = std::to_array<Naming>({
    {"Hugging Face", "vision_model.head.probe", "", "", kHfSigLip},
    {"timm and open_clip", "attn_pool.latent", "patch_embed.proj.weight", "", kTimmSigLip},
});

}  // namespace

std::span<const Naming> namings_of(NameFamily family) {
  switch (family) {
    case NameFamily::kClip:
      return kClipNamings;
    case NameFamily::kDinoV2:
      return kDinoV2Namings;
    case NameFamily::kDinoV3:
      return kDinoV3Namings;
    case NameFamily::kSigLip:
      return kSigLipNamings;
  }
  base::fail(base::ExitCode::kInternal, "unknown family of names");
}

std::string_view family_name(NameFamily family) {
  switch (family) {
    case NameFamily::kClip:
      return "CLIP";
    case NameFamily::kDinoV2:
      return "DINOv2";
    case NameFamily::kDinoV3:
      return "DINOv3";
    case NameFamily::kSigLip:
      return "SigLIP";
  }
  base::fail(base::ExitCode::kInternal, "unknown family of names");
}

std::span<const std::string_view> known_prefix_words() {
  // Lightning; training of DINOv2 and DINOv3; classes of transformers; open_clip around a tower of timm's.
  static constexpr auto kWords =
      std::to_array<std::string_view>({"model", "net", "teacher", "backbone", "clip", "siglip", "dinov2",
                                       "dinov2_with_registers", "dinov3_vit", "visual", "trunk"});
  return kWords;
}

}  // namespace quasar::checkpoint
