#include "pipeline/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <random>
#include <thread>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytes = 128;
constexpr std::size_t kSlotBytes = 256;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// What a journal with two images in flight leaves when its process dies.
std::string left_behind(const fs::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto* journal = new Journal(folder, 3, 3);
    journal->begin(0, Phase::kReading, 7, 700, "shard-7/being-read.jpg");
    journal->begin(2, Phase::kReading, 8, 801, "shard-8/being-decoded.jpg");
    journal->set_phase(2, Phase::kDecoding);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  for (const auto& entry : fs::directory_iterator(folder)) return content(entry.path());
  return {};
}

class JournalTest : public testing::Test {
 protected:
  /// Puts bytes in place of a journal and reads the folder.
  std::vector<FoundJournal> found(const std::string& bytes) {
    write(scratch_ / "journal-0.host.1.bin", bytes);
    return find_journals(scratch_.path());
  }
  test::ScratchFolder scratch_;
};

TEST_F(JournalTest, TellsWhatTheSlotsOfALivingProcessAreAt) {
  std::optional<Journal> journal(std::in_place, scratch_.path(), 5, 2);
  journal->begin(1, Phase::kReading, 4, 99, "a.jpg");
  EXPECT_EQ(journal->entry(0).phase, Phase::kIdle);
  EXPECT_EQ(journal->entry(1).phase, Phase::kReading);
  journal->set_phase(1, Phase::kDecoding);
  auto found = find_journals(scratch_.path());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rank, 5);
  EXPECT_EQ(found[0].process, ::getpid());
  EXPECT_TRUE(found[0].alive);
  ASSERT_EQ(found[0].in_flight.size(), 1U);
  EXPECT_EQ(found[0].in_flight[0].phase, Phase::kDecoding);
  EXPECT_EQ(found[0].in_flight[0].shard, 4);
  EXPECT_EQ(found[0].in_flight[0].row, 99U);
  EXPECT_EQ(found[0].in_flight[0].id, "a.jpg");
  EXPECT_GE(found[0].in_flight[0].seconds, 0);
  journal->end(1);
  EXPECT_TRUE(find_journals(scratch_.path())[0].in_flight.empty());
  journal.reset();
  EXPECT_TRUE(find_journals(scratch_.path()).empty()) << "a clean end leaves nothing";
}

TEST_F(JournalTest, OutlivesItsProcessAndSaysThatItIsDead) {
  ASSERT_FALSE(left_behind(scratch_.path()).empty());
  const auto found = find_journals(scratch_.path());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_FALSE(found[0].alive);
  EXPECT_EQ(found[0].rank, 3);
  ASSERT_EQ(found[0].in_flight.size(), 2U);
  EXPECT_EQ(found[0].in_flight[0].phase, Phase::kReading);
  EXPECT_EQ(found[0].in_flight[1].phase, Phase::kDecoding);
  EXPECT_EQ(found[0].in_flight[1].row, 801U);
  EXPECT_EQ(found[0].in_flight[1].id, "shard-8/being-decoded.jpg");
}

/// What the journal says of a process that ends itself so while two of its threads decode.
FoundJournal after(const fs::path& folder, const std::function<void()>& end, bool stopping = false) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto* journal = new Journal(folder, 0, 2);
    journal->mark_on_crash();
    journal->begin(0, Phase::kReading, 0, 10, "another.jpg");
    journal->set_phase(0, Phase::kDecoding);
    if (stopping) journal->mark_stopping();
    // The image that ends the process is decoded by a thread of its own.
    std::thread([&] {
      journal->begin(1, Phase::kReading, 0, 11, "culprit.jpg");
      journal->set_phase(1, Phase::kDecoding);
      end();
    }).join();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  auto found = find_journals(folder);
  EXPECT_EQ(found.size(), 1U);
  return found.empty() ? FoundJournal{} : found.front();
}

TEST_F(JournalTest, AFatalSignalMarksTheImageOfItsThreadAndNoOther) {
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
    const test::ScratchFolder folder;
    const auto found = after(folder.path(), [&] { ::pthread_kill(::pthread_self(), number); });
    ASSERT_EQ(found.in_flight.size(), 2U);
    EXPECT_EQ(found.in_flight[0].phase, Phase::kDecoding) << number;
    EXPECT_EQ(found.in_flight[1].phase, Phase::kCrashed) << number;
    EXPECT_FALSE(found.asked_to_stop);
  }
  const test::ScratchFolder folder;
  EXPECT_EQ(after(folder.path(), [] { std::abort(); }).in_flight[1].phase, Phase::kCrashed);
}

TEST_F(JournalTest, AKillMarksNothing) {
  const auto found = after(
      scratch_.path(), [] { ::raise(SIGKILL); }, true);
  EXPECT_TRUE(found.asked_to_stop);
  ASSERT_EQ(found.in_flight.size(), 2U);
  for (const auto& entry : found.in_flight) EXPECT_EQ(entry.phase, Phase::kDecoding);
}

TEST_F(JournalTest, AfterItsEndSignalsDoWhatTheyDidBefore) {
  struct sigaction before {};
  struct sigaction during {};
  struct sigaction after_it {};
  ::sigaction(SIGFPE, nullptr, &before);
  {
    Journal journal(scratch_.path(), 0, 1);
    journal.mark_on_crash();
    ::sigaction(SIGFPE, nullptr, &during);
  }
  ::sigaction(SIGFPE, nullptr, &after_it);
  EXPECT_NE(during.sa_handler, before.sa_handler);
  EXPECT_EQ(after_it.sa_handler, before.sa_handler);
}

TEST_F(JournalTest, CutsIdsThatAreTooLong) {
  Journal journal(scratch_.path(), 0, 1);
  const std::string id(1000, 'x');
  journal.begin(0, Phase::kReading, 0, 0, id);
  EXPECT_EQ(journal.entry(0).id, id.substr(0, kJournalIdBytes));
  journal.begin(0, Phase::kReading, 0, 1, "short");
  EXPECT_EQ(journal.entry(0).id, "short");
}

TEST_F(JournalTest, IsFoundInTheOrderOfRanks) {
  const Journal third(scratch_.path(), 10, 1);
  const Journal first(scratch_.path(), 0, 1);
  const Journal second(scratch_.path(), 9, 1);
  const auto found = find_journals(scratch_.path());
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].rank, 0);
  EXPECT_EQ(found[1].rank, 9);
  EXPECT_EQ(found[2].rank, 10);
}

TEST_F(JournalTest, CannotBeCreatedWithoutItsFolder) {
  EXPECT_THROW(Journal(scratch_ / "none", 0, 1), base::Error);
}

TEST_F(JournalTest, ATruncatedFileGivesItsWholeSlots) {
  const auto whole = left_behind(scratch_ / ".");
  fs::remove_all(scratch_.path());
  fs::create_directories(scratch_.path());
  ASSERT_EQ(whole.size(), kHeaderBytes + 3 * kSlotBytes);
  for (std::size_t size = 0; size <= whole.size(); size += 64) {
    const auto journals = found(whole.substr(0, size));
    if (size < kHeaderBytes) {
      EXPECT_TRUE(journals.empty()) << size;
      continue;
    }
    ASSERT_EQ(journals.size(), 1U) << size;
    const std::size_t slots = (size - kHeaderBytes) / kSlotBytes;
    // The second slot of three is idle.
    EXPECT_EQ(journals[0].in_flight.size(), slots == 0 ? 0U : slots < 3 ? 1U : 2U) << size;
  }
}

TEST_F(JournalTest, WhatIsNoJournalIsPassedOver) {
  const auto whole = left_behind(scratch_ / ".");
  fs::remove_all(scratch_.path());
  fs::create_directories(scratch_.path());
  auto other = whole;
  other[0] = 'X';
  EXPECT_TRUE(found(other).empty()) << "another magic number";
  const auto with_slots = [&](std::int32_t slots) {
    auto bytes = whole;
    std::memcpy(bytes.data() + 12, &slots, sizeof slots);
    return bytes;
  };
  EXPECT_TRUE(found(with_slots(-1)).empty());
  EXPECT_TRUE(found(with_slots(2'000'000'000)).empty());
  ASSERT_EQ(found(with_slots(4000)).size(), 1U);
  EXPECT_EQ(found(with_slots(4000))[0].in_flight.size(), 2U) << "slots that are not there";
  fs::create_directories(scratch_ / "journal-1.folder.2.bin");
  ASSERT_EQ(::mkfifo((scratch_ / "journal-2.pipe.3.bin").c_str(), 0600), 0);
  fs::create_symlink("nowhere", scratch_ / "journal-3.link.4.bin");
  write(scratch_ / "journal-4.bin", "");
  write(scratch_ / "journal-", whole);
  write(scratch_ / "other.bin", whole);
  EXPECT_EQ(find_journals(scratch_.path()).size(), 1U);
  EXPECT_TRUE(find_journals(scratch_ / "no such folder").empty());
}

TEST_F(JournalTest, HostileContentIsTextAndNumbersAndNothingElse) {
  auto bytes = left_behind(scratch_ / ".");
  fs::remove_all(scratch_.path());
  fs::create_directories(scratch_.path());
  // Neither host nor id has an end; the clock and the shard are as far off as can be; a phase that there is
  // not.
  std::fill_n(bytes.begin() + 24, 104, 'h');
  for (std::size_t slot = 0; slot < 3; ++slot) {
    char* const at = bytes.data() + kHeaderBytes + slot * kSlotBytes;
    const std::uint32_t phase = slot == 0 ? 2U : slot == 1 ? 77U : 3U;
    const std::int32_t shard = -5;
    const std::uint64_t row = UINT64_MAX;
    const std::int64_t clock = slot == 0 ? INT64_MIN : INT64_MAX;
    std::memcpy(at, &phase, sizeof phase);
    std::memcpy(at + 4, &shard, sizeof shard);
    std::memcpy(at + 8, &row, sizeof row);
    std::memcpy(at + 16, &clock, sizeof clock);
    std::fill_n(at + 32, 224, '\xFF');
  }
  const auto journals = found(bytes);
  ASSERT_EQ(journals.size(), 1U);
  EXPECT_FALSE(journals[0].alive);
  EXPECT_EQ(journals[0].host, std::string(104, 'h'));
  ASSERT_EQ(journals[0].in_flight.size(), 2U) << "a slot in no known phase says nothing";
  EXPECT_EQ(journals[0].in_flight[0].phase, Phase::kDecoding);
  EXPECT_EQ(journals[0].in_flight[1].phase, Phase::kOverdue);
  EXPECT_EQ(journals[0].in_flight[0].id, std::string(224, '\xFF'));
  EXPECT_EQ(journals[0].in_flight[0].shard, -5);
}

TEST_F(JournalTest, RandomBytesNeverEndTheReader) {
  const auto whole = left_behind(scratch_ / ".");
  fs::remove_all(scratch_.path());
  fs::create_directories(scratch_.path());
  std::mt19937 random(7);
  for (int turn = 0; turn < 300; ++turn) {
    auto bytes = whole.substr(0, random() % (whole.size() + 1));
    for (std::size_t i = 8; i < bytes.size(); ++i) {
      if (random() % 3 == 0) bytes[i] = static_cast<char>(random());
    }
    for (const auto& journal : found(bytes)) {
      EXPECT_LE(journal.in_flight.size(), 3U);
      for (const auto& entry : journal.in_flight) EXPECT_LE(entry.id.size(), kJournalIdBytes + 1);
    }
  }
}

}  // namespace
}  // namespace quasar::pipeline
