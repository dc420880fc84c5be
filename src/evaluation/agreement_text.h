// Owns how the agreement of scorers with people on rendered distortions is written: JSON, CSV, and a table
// for people.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "evaluation/agreement.h"

namespace quasar::evaluation {

struct ScorerAgreement {
  std::string scorer;
  std::string what;  ///< What it is, in a few words.
  DistortionAgreement agreement;
};

/// Scorers on the same photos and copies.
struct AgreementReport {
  std::vector<std::string> kinds;  ///< [25] Names, that of kind k at k - 1.
  std::vector<int> unseen;   ///< Kinds that are reported apart; the mean of the others is that of "seen".
  std::uint64_t seed = 0;    ///< Of the distortions.
  std::uint64_t photos = 0;  ///< Measured, without those left out.
  std::uint64_t copies = 0;  ///< Of them.
  std::map<std::string, std::uint64_t> left_out;  ///< Photos, by why.
  std::vector<ScorerAgreement> scorers;           ///< At least one; the first is shown kind by kind.
};

/// As JSON: photos, copies, seed, unseen, left_out, and by scorer means over kinds, both correlations of
/// every kind, cell_srcc and pairs_pristine_above; null where undefined, with the reason below "undefined".
std::string agreement_json(const AgreementReport& report);
/// As CSV: by scorer a line for the means over all kinds (with cells and pairs), seen and unseen ones, and
/// one for each kind.
std::string agreement_csv(const AgreementReport& report);
/// As tables for people: the first scorer kind by kind, then all of them, where there are several.
std::string agreement_text(const AgreementReport& report);

}  // namespace quasar::evaluation
