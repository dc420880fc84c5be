// Owns reading of the data sets of photos as they are, rated for their quality or their aesthetics:
// KonIQ-10k, LIVE in the Wild, SPAQ, TAD66k, AADB, AVA. docs/benchmarks.md says which files each has, and
// where.
#pragma once

#include "corpus/benchmarks/benchmark.h"

namespace quasar::corpus {

void read_koniq10k(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                   SourceCounts& counts);
void read_liveitw(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                  SourceCounts& counts);
void read_spaq(BenchmarkFiles& files, const std::string& variant, const TakeRow& take, SourceCounts& counts);
void read_tad66k(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                 SourceCounts& counts);
void read_aadb(BenchmarkFiles& files, const std::string& variant, const TakeRow& take, SourceCounts& counts);
void read_ava(BenchmarkFiles& files, const std::string& variant, const TakeRow& take, SourceCounts& counts);

}  // namespace quasar::corpus
