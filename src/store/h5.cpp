#include "store/h5.h"

#include <array>
#include <string_view>

#include "base/errors.h"
#include "base/status.h"
#include "base/trial.h"
#include "store/h5_access.h"
#include "store/seal.h"

namespace quasar::store::h5 {
namespace {

std::recursive_mutex library_mutex;

// A file that could not be written to the end, as on a full disk, stays half open in HDF5, whose own clearing
// up at the exit then crashes. Everything here is closed by its handle, so there is nothing to clear up.
[[maybe_unused]] const herr_t kNoClearingUpAtExit = H5dont_atexit();

herr_t keep_innermost(unsigned depth, const H5E_error2_t* entry, void* text) {
  if (depth == 0 && entry->desc != nullptr) *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

/// "file write failed: No space left on device" of HDF5's line, which goes on with the time, descriptors and
/// pointers.
std::string without_details(const std::string& text) {
  constexpr std::string_view kDetails = ": time = ";
  constexpr std::string_view kMessage = "error message = '";
  const auto details = text.find(kDetails);
  const auto message = text.find(kMessage);
  if (details == std::string::npos || message == std::string::npos) return text;
  const auto begin = message + kMessage.size();
  return text.substr(0, details) + ": " + text.substr(begin, text.find('\'', begin) - begin);
}

/// HDF5's own reason for the last failure; its printing of it is turned off.
std::string reason() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &text);
  return text.empty() ? "HDF5 gives no reason" : without_details(text);
}

void silence_library() {
  // Per thread in thread-safe builds, so it is asked for at every opening.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

/// Reads what there is to read of a file, as this module would.
void read_through(const std::filesystem::path& path) {
  constexpr std::uint64_t kRowsPerBlock = 4096;
  constexpr std::uint64_t kMaxRows = std::uint64_t{1} << 24U;
  const auto file = File::open(path, Integrity::kUnchecked);
  const auto tolerant = [](const auto& read) {
    try {
      read();
    } catch (const base::Error&) {  // NOLINT(bugprone-empty-catch): said by who needs the value.
    }
  };
  for (const auto& name : file.attribute_names()) {
    tolerant([&] { file.text_attribute(name); });
    tolerant([&] { file.integer_attribute(name); });
    tolerant([&] { file.real_attribute(name); });
  }
  for (const auto& name : file.dataset_names()) {
    const auto [rows, columns] = file.shape(name);
    for (std::uint64_t first = 0; first < std::min(rows, kMaxRows); first += kRowsPerBlock) {
      const std::uint64_t count = std::min(kRowsPerBlock, rows - first);
      tolerant([&] { file.read_texts(name, first, count); });
      std::vector<double> values(count * std::max<std::uint64_t>(columns, 1));
      tolerant([&] { file.read(name, H5T_NATIVE_DOUBLE, first, count, values.data()); });
    }
  }
}

/// Throws for a file that is not as it was sealed, and for one without a seal that crashes HDF5.
void check(const std::filesystem::path& path, SealExtent extent) {
  constexpr unsigned kSeconds = 120;
  const auto state = check_seal(path, extent);
  if (state == SealState::kBroken) {
    base::fail(base::ExitCode::kInput, path.string() +
                                           " is damaged: its bytes do not give the checksum that was written "
                                           "with them; have it written again, or copied anew");
  }
  if (state != SealState::kAbsent) return;
  if (const auto lost = base::lost_in_trial([&] { read_through(path); }, {.seconds = kSeconds}))
    base::fail(base::ExitCode::kInput, path.string() + " is damaged or no HDF5 file: reading it " + *lost);
}

Handle creation_properties(hid_t kind) {
  Handle properties(H5Pcreate(kind), H5Pclose);
  H5Pset_obj_track_times(properties.get(), 0);
  return properties;
}

}  // namespace

std::unique_lock<std::recursive_mutex> lock() {
  return std::unique_lock(library_mutex);
}

File File::create(const std::filesystem::path& path) {
  silence_library();
  const Handle access = access_properties();
  // The root group too would keep the time of its making, and equal content differ by it.
  const Handle creation = creation_properties(H5P_FILE_CREATE);
  H5Pset_userblock(creation.get(), kSealBytes);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_EXCL, creation.get(), access.get()), H5Fclose);
  if (!file.valid()) fail_create(path, reason());
  return {std::move(file), path, true};
}

File File::open(const std::filesystem::path& path, Integrity integrity) {
  silence_library();
  if (integrity != Integrity::kUnchecked)
    check(path, integrity == Integrity::kRows ? SealExtent::kRows : SealExtent::kAll);
  const Handle access = access_properties();
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!file.valid()) fail_open(path, reason());
  return {std::move(file), path, false};
}

void File::fail(const std::string& what) const {
  base::fail(writing_ ? base::ExitCode::kOutput : base::ExitCode::kInput,
             path_.string() + ": " + what + ": " + reason());
}

void File::put_attribute(const std::string& name, hid_t type, const void* value) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(file_.get(), name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute.get(), type, value) < 0)
    fail("cannot write the attribute " + name);
}

void File::write_attribute(const std::string& name, const std::string& value) {
  const Handle type = text_type();
  const char* const text = value.c_str();
  put_attribute(name, type.get(), static_cast<const void*>(&text));
}

void File::write_attribute(const std::string& name, std::int64_t value) {
  put_attribute(name, H5T_NATIVE_INT64, &value);
}

void File::write_attribute(const std::string& name, double value) {
  put_attribute(name, H5T_NATIVE_DOUBLE, &value);
}

bool File::has_attribute(const std::string& name) const {
  return H5Aexists(file_.get(), name.c_str()) > 0;
}

std::string File::text_attribute(const std::string& name) const {
  const Handle attribute(H5Aopen(file_.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) fail("has no attribute " + name);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
  if (H5Tget_class(stored.get()) != H5T_STRING || H5Tis_variable_str(stored.get()) <= 0 ||
      H5Aget_storage_size(attribute.get()) == 0) {
    fail("the attribute " + name + " is no text");
  }
  const Handle space(H5Aget_space(attribute.get()), H5Sclose);
  if (H5Sget_simple_extent_npoints(space.get()) != 1) fail("the attribute " + name + " is no single text");
  const Handle type = text_type();
  char* text = nullptr;
  if (H5Aread(attribute.get(), type.get(), static_cast<void*>(&text)) < 0)
    fail("cannot read the attribute " + name);
  std::string result = text == nullptr ? "" : text;
  if (text != nullptr) H5free_memory(text);
  return result;
}

std::int64_t File::integer_attribute(const std::string& name) const {
  const Handle attribute(H5Aopen(file_.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) fail("has no attribute " + name);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose);
  if (H5Tget_class(stored.get()) != H5T_INTEGER || H5Sget_simple_extent_npoints(space.get()) != 1) {
    fail("the attribute " + name + " is no whole number");
  }
  std::int64_t value = 0;
  if (H5Aread(attribute.get(), H5T_NATIVE_INT64, &value) < 0) fail("cannot read the attribute " + name);
  return value;
}

H5T_class_t File::attribute_class(const std::string& name) const {
  const Handle attribute(H5Aopen(file_.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) fail("has no attribute " + name);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
  return H5Tget_class(stored.get());
}

std::vector<std::string> File::dataset_names() const {
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5O_info_t* info, void* list) -> herr_t {
    if (info->type == H5O_TYPE_DATASET) static_cast<std::vector<std::string>*>(list)->emplace_back(name);
    return 0;
  };
  // H5O_info_t means the newest structure, which another function fills in each version of the library.
#if H5_VERSION_GE(1, 12, 0)
  const auto visit = H5Ovisit3;
#else
  const auto visit = H5Ovisit2;
#endif
  if (visit(file_.get(), H5_INDEX_NAME, H5_ITER_INC, collect, &names, H5O_INFO_BASIC) < 0)
    fail("cannot list datasets");
  return names;
}

double File::real_attribute(const std::string& name) const {
  const Handle attribute(H5Aopen(file_.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) fail("has no attribute " + name);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose);
  double value = 0;
  if (H5Tget_class(stored.get()) != H5T_FLOAT || H5Sget_simple_extent_npoints(space.get()) != 1 ||
      H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &value) < 0) {
    fail("the attribute " + name + " is no number");
  }
  return value;
}

std::vector<std::string> File::attribute_names() const {
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* list) -> herr_t {
    static_cast<std::vector<std::string>*>(list)->emplace_back(name);
    return 0;
  };
  if (H5Aiterate2(file_.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names) < 0)
    fail("cannot list attributes");
  return names;
}

void File::write(const std::string& name, hid_t file_type, hid_t memory_type, const void* data,
                 std::uint64_t rows, std::uint64_t columns) {
  const std::array<hsize_t, 2> shape = {rows, columns};
  const int rank = columns > 0 ? 2 : 1;
  const Handle space(H5Screate_simple(rank, shape.data(), nullptr), H5Sclose);
  const Handle properties = creation_properties(H5P_DATASET_CREATE);
  if (rank == 2 && rows > 0) {
    // Chunks of about a megabyte: large enough to stream, small enough to read a few rows.
    constexpr hsize_t kChunkBytes = hsize_t{1} << 20U;
    const hsize_t row_bytes = std::max<hsize_t>(1, columns * H5Tget_size(file_type));
    const std::array<hsize_t, 2> chunk = {std::clamp<hsize_t>(kChunkBytes / row_bytes, 1, rows), columns};
    H5Pset_chunk(properties.get(), rank, chunk.data());
  }
  const Handle set(H5Dcreate2(file_.get(), name.c_str(), file_type, space.get(), H5P_DEFAULT,
                              properties.get(), H5P_DEFAULT),
                   H5Dclose);
  if (!set.valid()) fail("cannot create the dataset " + name);
  if (rows > 0 && H5Dwrite(set.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
    fail("cannot write the dataset " + name);
  }
}

std::vector<ByteRange> File::chunks(const std::string& name) const {
  const Handle set = open_dataset(name);
  const Handle properties(H5Dget_create_plist(set.get()), H5Pclose);
  const Handle space(H5Dget_space(set.get()), H5Sclose);
  std::vector<ByteRange> ranges;
  hsize_t count = 0;
  if (H5Pget_layout(properties.get()) != H5D_CHUNKED || H5Dget_num_chunks(set.get(), space.get(), &count) < 0)
    return ranges;
  for (hsize_t i = 0; i < count; ++i) {
    haddr_t address = 0;
    hsize_t size = 0;
    if (H5Dget_chunk_info(set.get(), space.get(), i, nullptr, nullptr, &address, &size) < 0)
      fail("cannot tell where the chunks of " + name + " lie");
    ranges.push_back({address, size});
  }
  return ranges;
}

bool File::has(const std::string& name) const {
  return H5Lexists(file_.get(), name.c_str(), H5P_DEFAULT) > 0;
}

Handle File::open_dataset(const std::string& name) const {
  if (!has(name)) fail("has no dataset " + name);
  Handle set(H5Dopen2(file_.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!set.valid()) fail("cannot open the dataset " + name);
  return set;
}

std::pair<std::uint64_t, std::uint64_t> File::shape(const std::string& name) const {
  const Handle set = open_dataset(name);
  const Handle space(H5Dget_space(set.get()), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank != 1 && rank != 2) fail("the dataset " + name + " has neither one nor two dimensions");
  std::array<hsize_t, 2> sizes = {0, 0};
  H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr);
  return {sizes[0], rank == 2 ? sizes[1] : 0};
}

std::size_t File::value_bytes(const std::string& name) const {
  const Handle set = open_dataset(name);
  const Handle stored(H5Dget_type(set.get()), H5Tclose);
  if (H5Tget_class(stored.get()) != H5T_FLOAT)
    fail("the dataset " + name + " holds no floating-point numbers");
  return H5Tget_size(stored.get());
}

void File::read(const std::string& name, hid_t memory_type, std::uint64_t first, std::uint64_t count,
                void* data) const {
  const auto [rows, columns] = shape(name);
  if (first > rows || count > rows - first) {
    fail("the dataset " + name + " has " + std::to_string(rows) + " rows, not " +
         std::to_string(first + count));
  }
  if (count == 0) return;
  const Handle set = open_dataset(name);
  const Handle stored(H5Dget_type(set.get()), H5Tclose);
  const bool text = H5Tget_class(memory_type) == H5T_STRING;
  if (text != (H5Tget_class(stored.get()) == H5T_STRING && H5Tis_variable_str(stored.get()) > 0)) {
    fail("the dataset " + name + " holds another type of values than it should");
  }
  const Handle space(H5Dget_space(set.get()), H5Sclose);
  const std::array<hsize_t, 2> start = {first, 0};
  const std::array<hsize_t, 2> size = {count, columns};
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr);
  const Handle memory(H5Screate_simple(columns > 0 ? 2 : 1, size.data(), nullptr), H5Sclose);
  if (H5Dread(set.get(), memory_type, memory.get(), space.get(), H5P_DEFAULT, data) < 0) {
    fail("cannot read the dataset " + name);
  }
}

void File::create_group(const std::string& name) {
  const Handle properties = creation_properties(H5P_GROUP_CREATE);
  const Handle group(H5Gcreate2(file_.get(), name.c_str(), H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                     H5Gclose);
  if (!group.valid()) fail("cannot create the group " + name);
}

void File::write_texts(const std::string& name, const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  pointers.reserve(texts.size());
  for (const auto& text : texts) pointers.push_back(text.c_str());
  const Handle type = text_type();
  write(name, type.get(), type.get(), static_cast<const void*>(pointers.data()), texts.size());
}

std::vector<std::string> File::read_texts(const std::string& name, std::uint64_t first,
                                          std::uint64_t count) const {
  std::vector<char*> pointers(count, nullptr);
  const Handle type = text_type();
  read(name, type.get(), first, count, static_cast<void*>(pointers.data()));
  std::vector<std::string> texts;
  texts.reserve(count);
  for (char* const text : pointers) {
    texts.emplace_back(text == nullptr ? "" : text);
    if (text != nullptr) H5free_memory(text);
  }
  return texts;
}

void File::flush() {
  if (writing_ && H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) < 0) fail("cannot be written to the end");
}

void File::close() {
  flush();
  const hid_t id = file_.release();
  if (H5Fclose(id) < 0) fail("cannot be closed");
}

Handle half_type() {
  Handle type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

Handle status_type() {
  Handle type(H5Tenum_create(H5T_STD_U8LE), H5Tclose);
  for (const auto status : base::all_statuses()) {
    const auto value = static_cast<std::uint8_t>(status);
    H5Tenum_insert(type.get(), std::string(base::status_name(status)).c_str(), &value);
  }
  return type;
}

}  // namespace quasar::store::h5
