// Owns a scratch folder that all ranks of a test see.
#pragma once

#include <filesystem>
#include <string>

#include "comm/communicator.h"
#include "support/test_data.h"

namespace quasar::curation {

class SharedFolder {
 public:
  SharedFolder() {
    const auto comm = comm::Communicator::world();
    std::string path;
    if (comm.is_root()) path = (scratch_ / "shared").string();
    comm.broadcast(path);
    path_ = path;
    if (comm.is_root()) std::filesystem::create_directories(path_);
    comm.barrier();
  }
  ~SharedFolder() { comm::Communicator::world().barrier(); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  test::ScratchFolder scratch_;
  std::filesystem::path path_;
};

}  // namespace quasar::curation
