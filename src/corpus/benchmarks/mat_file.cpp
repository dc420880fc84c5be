#include "corpus/benchmarks/mat_file.h"

#include <matio.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "base/errors.h"
#include "base/progress.h"
#include "base/trial.h"
#include "corpus/path_text.h"

namespace quasar::corpus {
namespace {

/// The largest label file of the data sets that are read has less than one.
constexpr std::uintmax_t kMostMatBytes = std::uintmax_t{64} << 20U;
constexpr std::size_t kMostElements = 10'000'000;
constexpr base::TrialLimits kMatTrial = {.seconds = 60, .memory = std::uint64_t{512} << 20U};

using MatHandle = std::unique_ptr<mat_t, int (*)(mat_t*)>;
using Variable = std::unique_ptr<matvar_t, void (*)(matvar_t*)>;

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file)
      : name_(path_to_text(file)), mat_(Mat_Open(file.c_str(), MAT_ACC_RDONLY), &Mat_Close) {
    if (!mat_) fail("it is no MATLAB file (.mat) that can be opened, or it is cut short");
  }

  std::vector<std::string> texts(const std::string& name) const {
    const auto [variable, count] = read(name);
    if (variable->class_type != MAT_C_CELL || variable->nbytes / sizeof(matvar_t*) < count)
      fail("the variable " + name + " is no cell of texts");
    std::vector<std::string> result;
    auto* const* const cells = static_cast<matvar_t* const*>(variable->data);
    for (std::size_t i = 0; i < count; ++i)
      result.push_back(text_of_cell(cells[i], name + "{" + std::to_string(i + 1) + "}"));
    return result;
  }

  std::vector<double> numbers(const std::string& name) const {
    const auto [variable, count] = read(name);
    const bool is_double = variable->data_type == MAT_T_DOUBLE && variable->class_type == MAT_C_DOUBLE;
    const bool is_single = variable->data_type == MAT_T_SINGLE && variable->class_type == MAT_C_SINGLE;
    if ((!is_double && !is_single) || variable->isComplex != 0 ||
        variable->nbytes < count * (is_double ? sizeof(double) : sizeof(float))) {
      fail("the variable " + name + " is no vector of real numbers");
    }
    if (is_double) {
      const auto* const values = static_cast<const double*>(variable->data);
      return {values, values + count};
    }
    const auto* const values = static_cast<const float*>(variable->data);
    return {values, values + count};
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    base::fail(base::ExitCode::kInput, name_ + ": " + message);
  }

  struct Found {
    Variable variable;
    std::size_t length = 0;
  };

  /// What a header declares is looked at before there is memory for it.
  Found read(const std::string& name) const {
    // Of memory that it does not get, libmatio says no more than of damage.
    const std::string refused = "holds nothing, is damaged, or takes more than the " +
                                base::human_bytes(kMatTrial.memory) + " of memory that a list of labels may";
    Variable variable(Mat_VarReadInfo(mat_.get(), name.c_str()), &Mat_VarFree);
    if (!variable) fail("there is no variable " + name + ", or it " + refused);
    const auto length = length_of(*variable, name);
    if (Mat_VarReadDataAll(mat_.get(), variable.get()) != 0 || variable->data == nullptr)
      fail("the variable " + name + " " + refused);
    return {std::move(variable), length};
  }

  std::size_t length_of(const matvar_t& variable, const std::string& name) const {
    const bool is_vector =
        variable.rank == 2 && variable.dims != nullptr && (variable.dims[0] == 1 || variable.dims[1] == 1);
    if (!is_vector) fail("the variable " + name + " is no vector (1 x n or n x 1)");
    const std::size_t length = variable.dims[0] == 1 ? variable.dims[1] : variable.dims[0];
    if (length > kMostElements) {
      fail("the variable " + name + " declares " + base::with_thousands(length) +
           " elements; a list of labels has at most " + base::with_thousands(kMostElements));
    }
    return length;
  }

  std::string text_of_cell(const matvar_t* cell, const std::string& name) const {
    if (cell == nullptr || cell->class_type != MAT_C_CHAR || cell->rank != 2 || cell->dims == nullptr ||
        cell->dims[0] > 1 || cell->data == nullptr) {
      fail(name + " is no text");
    }
    std::string text;
    if (cell->data_size == 1) {
      // UTF-8 may take more bytes than characters.
      text.assign(static_cast<const char*>(cell->data), cell->nbytes);
      return text.substr(0, text.find('\0'));
    }
    if (cell->data_size != sizeof(std::uint16_t)) fail(name + " is no text");
    const auto* const units = static_cast<const std::uint16_t*>(cell->data);
    for (std::size_t i = 0; i < cell->nbytes / sizeof(std::uint16_t) && units[i] != 0; ++i) {
      if (units[i] >= 0x80) fail(name + " has a letter beyond ASCII, which no name of a picture has");
      text.push_back(static_cast<char>(units[i]));
    }
    return text;
  }

  std::string name_;
  MatHandle mat_;
};

MatVariables read_all(const std::filesystem::path& file, const std::vector<std::string>& texts,
                      const std::vector<std::string>& numbers) {
  const Reader reader(file);
  MatVariables variables;
  for (const auto& name : texts) variables.texts[name] = reader.texts(name);
  for (const auto& name : numbers) variables.numbers[name] = reader.numbers(name);
  return variables;
}

}  // namespace

MatVariables read_mat(const std::filesystem::path& file, const std::vector<std::string>& texts,
                      const std::vector<std::string>& numbers) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  if (error) base::fail(base::ExitCode::kInput, path_to_text(file) + ": " + error.message());
  if (bytes > kMostMatBytes) {
    base::fail(base::ExitCode::kInput, path_to_text(file) + ": " + std::to_string(bytes) +
                                           " bytes are more than a list of labels has");
  }
  if (const auto lost = base::lost_in_trial([&] { read_all(file, texts, numbers); }, kMatTrial))
    base::fail(base::ExitCode::kInput, path_to_text(file) + ": the file is damaged: reading it " + *lost);
  return read_all(file, texts, numbers);
}

}  // namespace quasar::corpus
