#include "store/provenance.h"

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/version.h"
#include "store/seal.h"

namespace quasar::store {

void write_provenance(h5::File& file, const std::string& kind) {
  file.write_attribute("kind", "quasar " + kind);
  file.write_attribute("schema_version", kSchemaVersion);
  file.write_attribute("software_version", base::version());
}

void check_provenance(const h5::File& file, const std::filesystem::path& path, const std::string& kind) {
  const std::string wanted = "quasar " + kind;
  const std::string found = file.has_attribute("kind") ? file.text_attribute("kind") : "no file of Quasar";
  if (found != wanted) {
    base::fail(base::ExitCode::kInput, path.string() + " is a " + found + ", not a " + wanted);
  }
  const auto schema = file.integer_attribute("schema_version");
  if (schema != kSchemaVersion) {
    base::fail(base::ExitCode::kInput, path.string() + " has schema version " + std::to_string(schema) +
                                           "; this software reads version " + std::to_string(kSchemaVersion));
  }
}

void write_encoder(h5::File& file, const base::EncoderIdentity& encoder) {
  file.write_attribute("encoder_architecture", encoder.architecture);
  file.write_attribute("encoder_weights_sha256", encoder.weights_sha256);
  file.write_attribute("encoder_preprocessing", encoder.preprocessing);
  file.write_attribute("encoder_dtype", encoder.dtype);
}

base::EncoderIdentity read_encoder(const h5::File& file) {
  return {file.text_attribute("encoder_architecture"), file.text_attribute("encoder_weights_sha256"),
          file.text_attribute("encoder_preprocessing"), file.text_attribute("encoder_dtype")};
}

void write_whole(const std::filesystem::path& path, const std::function<void(h5::File&)>& fill) {
  const auto temporary = base::temporary_name(path);
  try {
    const auto guard = h5::lock();
    auto file = h5::File::create(temporary);
    fill(file);
    file.close();
    seal_file(temporary);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  base::publish_file(temporary, path);
}

}  // namespace quasar::store
