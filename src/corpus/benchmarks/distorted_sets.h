// Owns reading of the data sets of distorted copies with their references: TID2013, KADID-10k, PieAPP, PIPAL,
// KADIS-700k. docs/benchmarks.md says which files each has, and where.
#pragma once

#include "corpus/benchmarks/benchmark.h"

namespace quasar::corpus {

void read_tid2013(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                  SourceCounts& counts);
void read_kadid10k(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                   SourceCounts& counts);
void read_pieapp(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                 SourceCounts& counts);
void read_pipal(BenchmarkFiles& files, const std::string& variant, const TakeRow& take, SourceCounts& counts);
void read_kadis700k(BenchmarkFiles& files, const std::string& variant, const TakeRow& take,
                    SourceCounts& counts);

}  // namespace quasar::corpus
