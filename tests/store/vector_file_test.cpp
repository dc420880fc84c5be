// Vectors that others have made: .npy and HDF5 files as they come, whole, odd and hostile.
#include "store/vector_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "base/errors.h"
#include "store/anchor_file.h"
#include "store/npy.h"
#include "support/test_data.h"

namespace quasar::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string npy(const std::string& header, const std::string& data, char major = 1) {
  std::string text = header;
  std::string file = "\x93NUMPY";
  file += major;
  file += '\0';
  const std::size_t length = text.size();
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i)
    file += static_cast<char>(length >> (8U * static_cast<unsigned>(i)) & 0xFFU);
  return file + text + data;
}

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  std::string data(values.size() * sizeof(T), '\0');
  std::memcpy(data.data(), values.data(), data.size());
  return data;
}

std::string fault_of(const std::string& file) {
  try {
    read_npy_header(std::as_bytes(std::span(file)));
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "";
}

std::vector<float> values_of(const std::string& file) {
  const auto bytes = std::as_bytes(std::span(file));
  const auto header = read_npy_header(bytes);
  std::vector<float> values(header.rows * header.columns);
  read_npy_rows(bytes, header, 0, header.rows, values);
  return values;
}

TEST(Npy, ReadsEveryTypeAndVersion) {
  const auto header = [](const std::string& type) {
    return "{'descr': '" + type + "', 'fortran_order': False, 'shape': (2, 2), }   \n";
  };
  const auto is_it = ElementsAre(1, -2, 0.5, 3);
  EXPECT_THAT(values_of(npy(header("<f4"), bytes_of<float>({1, -2, 0.5, 3}))), is_it);
  EXPECT_THAT(values_of(npy(header("<f8"), bytes_of<double>({1, -2, 0.5, 3}), 2)), is_it);
  EXPECT_THAT(values_of(npy(header("<f2"), bytes_of<std::uint16_t>({0x3C00, 0xC000, 0x3800, 0x4200}), 3)),
              is_it);
}

TEST(Npy, AVectorIsOneRowAndFortranOrderOfARowIsC) {
  EXPECT_THAT(
      values_of(npy("{\"shape\":(3,),\"descr\":\"<f4\",\"fortran_order\":True}", bytes_of<float>({1, 2, 3}))),
      ElementsAre(1, 2, 3));
}

TEST(Npy, RefusesWhatItCannotRead) {
  const std::string one = bytes_of<float>({1});
  const auto with = [&](const std::string& header) { return fault_of(npy(header, one)); };
  EXPECT_THAT(fault_of(""), HasSubstr("no .npy file"));
  EXPECT_THAT(fault_of("\x93NUMPY\x01"), HasSubstr("no .npy file"));
  EXPECT_THAT(fault_of(npy("{}", one, 9)), HasSubstr("version 9"));
  EXPECT_THAT(fault_of(std::string("\x93NUMPY\x01\x00\xFF\x7F{", 11)), HasSubstr("header"));
  EXPECT_THAT(with("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1)}"), HasSubstr("little-endian"));
  EXPECT_THAT(with("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}"), HasSubstr("\"|O\""));
  EXPECT_THAT(with("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}"), HasSubstr("records"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}"), HasSubstr("cut"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 2)}"),
              HasSubstr("cut"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}"),
              HasSubstr("malformed"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}"), HasSubstr("malformed"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}"), HasSubstr("no values"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': ()}"), HasSubstr("0 dimensions"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1)}"),
              HasSubstr("3 dimensions"));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1, 1)}"), HasSubstr("malformed"));
  EXPECT_THAT(with("{'descr': '<f4', 'shape': (1, 1)}"), HasSubstr("lacks"));
  EXPECT_THAT(with("{'descr': '<f4', 'descr': '<f4', 'shape': (1, 1)}"), HasSubstr("\"descr\""));
  EXPECT_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)} import os"),
              HasSubstr("malformed"));
  EXPECT_THAT(with("{'descr': '<f4"), HasSubstr("malformed"));
  EXPECT_THAT(fault_of(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}",
                           bytes_of<float>({1, 2, 3, 4}))),
              HasSubstr("Fortran"));
}

TEST(Npy, NoCutOrChangedByteIsReadBeyondItsEnd) {
  const std::string whole =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", bytes_of<float>({1, 2, 3, 4}));
  EXPECT_EQ(fault_of(whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(fault_of(whole.substr(0, size)), "") << size;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    for (const char byte : {'\0', '\xFF', '9', '\''}) {
      changed[at] = byte;
      try {
        values_of(changed);
      } catch (const base::Error& error) {
        EXPECT_EQ(error.code(), base::ExitCode::kInput) << at;
      }
    }
  }
}

TEST(VectorFile, ReadsTheDatasetThatAnHdf5FileIsAskedFor) {
  const test::ScratchFolder scratch;
  const auto path = scratch / "set.h5";
  AnchorSet set;
  set.name = "a";
  set.good = {1, 2, 3, 4};
  set.bad = {5, 6, 7, 8};
  set.dimension = 2;
  write_anchor_file(path, set);
  const VectorFile bad(path.string() + "::bad");
  EXPECT_EQ(bad.rows(), 2U);
  std::vector<float> row(2);
  bad.read(1, 1, row);
  EXPECT_THAT(row, ElementsAre(7, 8));
  const auto fault = [](const std::filesystem::path& name) {
    try {
      const VectorFile file(name);
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(fault(path), HasSubstr("2 matrices (bad, good); name one"));
  EXPECT_THAT(fault(path.string() + "::none"), HasSubstr("named none"));
  EXPECT_THAT(fault(scratch / "none.npy"), HasSubstr("none.npy"));
  EXPECT_THAT(fault(scratch / "vectors.csv"), HasSubstr(".npy, .h5"));
  std::ofstream(scratch / "text.h5") << "this is no HDF5";
  EXPECT_THAT(fault(scratch / "text.h5"), HasSubstr("text.h5"));
}

}  // namespace
}  // namespace quasar::store
