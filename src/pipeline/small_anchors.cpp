#include "pipeline/small_anchors.h"

#include "base/atomic_file.h"
#include "base/await_file.h"
#include "dataset/await_written.h"

namespace quasar::pipeline {

store::AnchorSet make_on_root(const RunConfig& config, const AnchorSource& source,
                              const std::function<store::AnchorSet()>& make, const comm::Communicator& comm) {
  const auto path = config.run.anchor_file(source.name);
  std::string fingerprint;
  comm.on_root([&] {
    base::make_directories(path.parent_path());
    const auto built = make();
    store::write_anchor_file(path, built);
    fingerprint = store::anchor_fingerprint(built);
  });
  comm.broadcast(fingerprint);
  store::AnchorSet set;
  comm.together([&] {
    dataset::await_written(path, [&] {
      if (!base::is_there_anew(path)) return false;
      set = store::read_anchor_file(path);
      return store::anchor_fingerprint(set) == fingerprint;
    });
  });
  return set;
}

}  // namespace quasar::pipeline
