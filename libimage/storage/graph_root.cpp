#include "libimage/storage/graph_root.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

constexpr const char* kLayersFile = "layers.json";
constexpr const char* kImagesFile = "images.json";
constexpr const char* kContainersFile = "containers.json";
constexpr const char* kVolatileContainersFile = "volatile-containers.json";
constexpr const char* kStoreLock = "storage.lock";
constexpr mode_t kRecordMode = 0600;

std::string tar_split_name(const std::string& layer) { return cat(layer, ".tar-split.gz"); }

std::string found_driver(const DirFd& root) {
  for (const char* name : {"overlay", "vfs"}) {
    if (stat_entry(root, cat(name, "-layers")) || stat_entry(root, name)) return name;
  }
  for (const char* name : {"btrfs", "zfs", "aufs", "devicemapper"}) {
    if (stat_entry(root, cat(name, "-layers"))) return name;
  }
  return "overlay";
}

std::string read_records(const DirFd& dir, const char* name) {
  if (!dir || !stat_entry(dir, name)) return {};
  return read_file_at(dir, name, kMaxRecordsBytes);
}

void write_records(const DirFd& dir, const char* name, std::string_view text,
                   AtomicFile::Durability durability) {
  AtomicFile file(dir, name, kRecordMode);
  file.write(bytes_of(text));
  file.commit(durability);
}

/// A lock of records that are not there yet holds nothing.
StoreLock lock_in(const DirFd& dir, const DirFd& root, const char* name, StoreLock::Mode mode,
                  const std::stop_token& stop) {
  return dir ? StoreLock(dir, name, mode, stop) : StoreLock(root, kStoreLock, mode, stop);
}

}  // namespace

GraphRoot::GraphRoot(const std::string& path, std::string_view driver, StoreAccess access,
                     const std::stop_token& stop)
    : path_(path), driver_name_(driver) {
  if (access == StoreAccess::write) (void)create_dir(path, 0700);
  root_ = open_dir(path);
  if (driver_name_ == "overlay2") driver_name_ = "overlay";
  if (driver_name_.empty()) driver_name_ = found_driver(root_);
  if (access == StoreAccess::read && !stat_entry(root_, cat(driver_name_, "-layers"))) {
    throw Error(Errc::not_found,
                cat("there is no container storage of the driver ", quoted(driver_name_)));
  }
  std::optional<StoreLock> lock;
  if (access == StoreAccess::write) {
    lock.emplace(root_, kStoreLock, StoreLock::Mode::exclusive, stop);
  }
  layers_ = open_records("layers", access);
  images_ = open_records("images", access);
  containers_ = open_records("containers", access);
  driver_ = open_driver(driver_name_, root_, access);
}

DirFd GraphRoot::open_records(std::string_view what, StoreAccess access) const {
  const std::string name = cat(driver_name_, "-", what);
  if (access == StoreAccess::read && !stat_entry(root_, name)) return {};
  return open_store_dir(root_, name, access);
}

StoreLock GraphRoot::lock_layers(StoreLock::Mode mode, const std::stop_token& stop) const {
  return lock_in(layers_, root_, "layers.lock", mode, stop);
}

StoreLock GraphRoot::lock_images(StoreLock::Mode mode, const std::stop_token& stop) const {
  return lock_in(images_, root_, "images.lock", mode, stop);
}

StoreLock GraphRoot::lock_containers(StoreLock::Mode mode, const std::stop_token& stop) const {
  return lock_in(containers_, root_, "containers.lock", mode, stop);
}

std::vector<LayerRecord> GraphRoot::read_layers() const {
  return parse_layer_records(read_records(layers_, kLayersFile));
}

std::vector<ImageRecord> GraphRoot::read_images() const {
  return parse_image_records(read_records(images_, kImagesFile));
}

std::vector<ContainerRecord> GraphRoot::read_containers() const {
  std::vector<ContainerRecord> records =
      parse_container_records(read_records(containers_, kContainersFile));
  // Later versions keep containers that end with the boot apart.
  for (ContainerRecord& record :
       parse_container_records(read_records(containers_, kVolatileContainersFile))) {
    records.push_back(std::move(record));
  }
  return records;
}

void GraphRoot::write_layers(const std::vector<LayerRecord>& records, Durable durable) const {
  write_records(
      layers_, kLayersFile, serialise(records),
      durable == Durable::yes ? AtomicFile::Durability::fsync : AtomicFile::Durability::none);
}

void GraphRoot::write_images(const std::vector<ImageRecord>& records) const {
  write_records(images_, kImagesFile, serialise(records), AtomicFile::Durability::fsync);
}

std::string GraphRoot::read_data(const std::string& image, std::string_view key,
                                 std::uint64_t limit) const {
  const DirFd dir(open_entry(images_, image, O_RDONLY | O_DIRECTORY));
  return read_file_at(dir, data_file_name(key), limit);
}

void GraphRoot::write_data(const std::string& image, std::string_view key,
                           std::string_view content) const {
  const DirFd dir = open_store_dir(images_, image, StoreAccess::write);
  AtomicFile file(dir, data_file_name(key), kRecordMode);
  file.write(bytes_of(content));
  file.commit();
}

void GraphRoot::remove_data(const std::string& image) const { remove_tree(images_, image); }

std::unique_ptr<Source> GraphRoot::open_tar_split(const std::string& layer) const {
  const std::string name = tar_split_name(layer);
  if (!stat_entry(layers_, name)) return nullptr;
  return decompressed(
      std::make_unique<FdSource>(open_entry(layers_, name, O_RDONLY | O_NONBLOCK), quoted(name)));
}

void GraphRoot::place_tar_split(const DirFd& staging, const std::string& name,
                                const std::string& layer) const {
  if (::renameat(staging.get(), name.c_str(), layers_.get(), tar_split_name(layer).c_str()) == 0) {
    return;
  }
  if (errno != EXDEV) throw_errno("give the tar-split file its place");
  // The driver's directory may be a file system of its own.
  AtomicFile file(layers_, tar_split_name(layer), kRecordMode);
  FdSource from(open_entry(staging, name, O_RDONLY), quoted(name));
  pump(from, file);
  file.commit();
}

void GraphRoot::remove_layer(const std::string& layer) {
  driver_->remove(layer);
  ::unlinkat(layers_.get(), tar_split_name(layer).c_str(), 0);
  remove_tree(layers_, layer);
}

}  // namespace lade
