#include "exports/uid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "support/test_data.h"

namespace quasar::exports {
namespace {

TEST(UidTest, FilesAreThoseOfDataComp) {
  const auto golden = test::shared_data() / "golden" / "curation" / "datacomp";
  QUASAR_REQUIRE_DATA(golden);
  const auto subset = nlohmann::json::parse(base::read_file(golden / "subset.json"));
  std::vector<Uid> uids;
  for (const auto& text : subset.at("uids_in_input_order"))
    uids.push_back(parse_uid(text.get<std::string>()).value());
  std::sort(uids.begin(), uids.end());
  EXPECT_EQ(uid_file(uids), base::read_file(golden / "subset.npy"));
  EXPECT_EQ(uid_file({}), base::read_file(golden / "empty.npy"));
}

TEST(UidTest, WhatIsNoUidIsNone) {
  EXPECT_EQ(parse_uid("00000000000000ffFFFFFFFFFFFFFFFF"), (Uid{255, UINT64_MAX}));
  for (const char* const text : {"", "0", "00000000000000000000000000000000f",
                                 "0000000000000000000000000000000g", "-000000000000000000000000000000f",
                                 "0x000000000000000000000000000000", "0000000000000000 000000000000000"})
    EXPECT_FALSE(parse_uid(text)) << text;
}

}  // namespace
}  // namespace quasar::exports
