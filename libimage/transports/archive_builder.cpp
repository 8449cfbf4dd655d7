#include "libimage/transports/archive_builder.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/store/file_copy.h"
#include "libimage/transports/archive_file.h"
#include "libimage/transports/tar_header.h"

namespace lade {
namespace {

constexpr std::uint64_t kEndBytes = 2 * kTarBlockBytes;  // the end-of-archive blocks
constexpr std::uint64_t kSmallMember = std::uint64_t{1} << 20;
// Each has a descriptor open.
constexpr std::size_t kMaxFiles = 64;

DirFd parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return open_dir(".");
  return open_dir(slash == 0 ? "/" : path.substr(0, slash));
}

std::string name_in_parent(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  if (name.empty() || name == "." || name == "..") {
    throw Error(Errc::invalid_argument, cat("write archive ", quoted(path), ": not a file name"));
  }
  return name;
}

}  // namespace

/// Writes a blob of known size into its room.
class RegionWriter final : public BlobWriter {
 public:
  RegionWriter(ArchiveBuilder& archive, const BlobHint& hint)
      : archive_(archive),
        check_(hint),
        region_(archive.reserve(
            archive.options_.name_of(hint.expected->media_type, hint.expected->digest),
            hint.expected->size)) {}

  ~RegionWriter() override {
    if (!committed_) archive_.release(region_);
  }

  void write(ByteView data) override {
    const std::uint64_t at = region_.offset + region_.header + check_.bytes();
    check_.add(data);  // first: it refuses what would leave the room
    write_file_at(archive_.fd_of(region_), at, data);
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    oci::Descriptor blob = check_.result(std::move(media_type));
    archive_.publish(region_, archive_.options_.name_of(blob.media_type, blob.digest));
    committed_ = true;
    return blob;
  }

 private:
  ArchiveBuilder& archive_;
  BlobCheck check_;
  ArchiveBuilder::Region region_;
  bool committed_ = false;
};

/// Writes a blob of unknown size where the archive ends. Room for its header is left in front.
class TailWriter final : public BlobWriter {
 public:
  TailWriter(ArchiveBuilder& archive, std::uint64_t offset)
      : archive_(archive), check_(BlobHint{}), content_(offset + kTarBlockBytes) {}

  ~TailWriter() override {
    if (!ended_) archive_.end_tail(0);
  }

  void write(ByteView data) override {
    const std::uint64_t at = content_ + check_.bytes();
    check_.add(data);
    write_file_at(archive_.file_->fd(), at, data);
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    oci::Descriptor blob = check_.result(std::move(media_type));
    const std::string name = archive_.options_.name_of(blob.media_type, blob.digest);
    ArchiveBuilder::Region region{.offset = content_ - kTarBlockBytes,
                                  .header = archive_.header_of(name, blob.size).size(),
                                  .size = blob.size};
    if (region.header == kTarBlockBytes) {
      end(region.length());
    } else {  // more than 8 GiB have a longer one
      region = archive_.reserve(name, blob.size);
      copy_file_bytes(archive_.file_->fd(), content_, archive_.fd_of(region),
                      region.offset + region.header, blob.size);
      end(0);
    }
    archive_.publish(region, name);
    return blob;
  }

 private:
  void end(std::uint64_t used) {
    archive_.end_tail(used);
    ended_ = true;
  }

  ArchiveBuilder& archive_;
  BlobCheck check_;
  std::uint64_t content_;
  bool ended_ = false;
};

/// Gathers a blob of unknown size beside the archive.
class SpoolWriter final : public BlobWriter {
 public:
  explicit SpoolWriter(ArchiveBuilder& archive)
      : archive_(archive),
        check_(BlobHint{}),
        file_(std::make_unique<PendingFile>(archive.file_->dir())) {}

  void write(ByteView data) override {
    check_.add(data);
    write_file_at(file_->fd(), kTarBlockBytes + check_.bytes() - data.size(), data);
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    oci::Descriptor blob = check_.result(std::move(media_type));
    archive_.take_file(archive_.options_.name_of(blob.media_type, blob.digest), std::move(file_),
                       blob.size);
    return blob;
  }

 private:
  ArchiveBuilder& archive_;
  BlobCheck check_;
  std::unique_ptr<PendingFile> file_;  // the content behind room for its header
};

std::uint64_t ArchiveBuilder::Region::length() const noexcept { return header + padded_size(size); }

ArchiveBuilder::ArchiveBuilder(const std::string& path, ArchiveOptions options)
    : options_(options), name_(name_in_parent(path)) {
  with_context([&] { return cat("write archive ", quoted(path)); },
               [&] {
                 struct stat st {};
                 if (::stat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode)) {
                   throw Error(Errc::unsupported, "it exists and is not a regular file");
                 }
                 const DirFd parent = parent_of(path);
                 PendingFile::sweep(parent);
                 file_ = std::make_unique<PendingFile>(parent);
               });
}

ArchiveBuilder::~ArchiveBuilder() = default;

std::unique_ptr<BlobWriter> ArchiveBuilder::start_blob(const BlobHint& hint) {
  if (hint.expected) return std::make_unique<RegionWriter>(*this, hint);
  {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(tail_taken_, true)) return std::make_unique<TailWriter>(*this, end_);
  }
  return std::make_unique<SpoolWriter>(*this);
}

void ArchiveBuilder::end_tail(std::uint64_t used) noexcept {
  const std::scoped_lock lock(mutex_);
  tail_taken_ = false;
  end_ += used;
}

int ArchiveBuilder::fd_of(const Region& region) const noexcept {
  return region.file ? region.file->fd() : file_->fd();
}

bool ArchiveBuilder::contains(const oci::Descriptor& blob) const {
  const std::scoped_lock lock(mutex_);
  const auto found = members_.find(options_.name_of(blob.media_type, blob.digest));
  return found != members_.end() && !found->second.adopted && found->second.size == blob.size;
}

bool ArchiveBuilder::has(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return members_.contains(name);
}

std::string ArchiveBuilder::header_of(const std::string& name, std::uint64_t size) const {
  return make_tar_header(name, size, name.ends_with('/') ? 0755 : options_.mode);
}

ArchiveBuilder::Region ArchiveBuilder::reserve(const std::string& name, std::uint64_t size) {
  // Larger files exist nowhere; the sum of offsets must not wrap.
  constexpr std::uint64_t kMaxSize = std::uint64_t{1} << 50U;
  if (size > kMaxSize) {
    throw Error(Errc::limit_exceeded, cat("write archive: a member of ", size, " bytes"));
  }
  Region region{.header = header_of(name, size).size(), .size = size};
  const std::scoped_lock lock(mutex_);
  if (options_.small_members_last && size <= kSmallMember) return reserve_beside(region);
  const auto reusable = std::find_if(free_.begin(), free_.end(), [&](const Region& free) {
    return free.length() == region.length();
  });
  if (reusable != free_.end()) {
    region.offset = reusable->offset;
    free_.erase(reusable);
  } else if (tail_taken_) {
    return reserve_beside(region);
  } else {
    region.offset = end_;
    end_ += region.length();
  }
  return region;
}

ArchiveBuilder::Region ArchiveBuilder::reserve_beside(Region region) {
  if (!beside_) beside_ = std::make_shared<PendingFile>(file_->dir());
  region.file = beside_;
  region.offset = beside_end_;
  beside_end_ += region.length();
  return region;
}

void ArchiveBuilder::release(const Region& region) {
  const std::scoped_lock lock(mutex_);
  if (!region.file) free_.push_back(region);
}

void ArchiveBuilder::publish(const Region& region, const std::string& name) {
  const std::string header = header_of(name, region.size);
  if (header.size() != region.header) {
    throw Error(Errc::internal, "write archive: header of another length than its room");
  }
  write_file_at(fd_of(region), region.offset, bytes_of(header));
  // The room may have been another blob's before.
  const std::string padding(static_cast<std::size_t>(padded_size(region.size) - region.size), '\0');
  write_file_at(fd_of(region), region.offset + region.header + region.size, bytes_of(padding));
  const std::scoped_lock lock(mutex_);
  const auto [member, fresh] = members_.try_emplace(name, region);
  if (!fresh) {
    // A digest names its bytes, so either will do; a document may have changed its size.
    const Region old = std::exchange(member->second, region);
    if (!old.file) free_.push_back(old);
  }
}

void ArchiveBuilder::add(const std::string& name, std::string_view content) {
  const Region region = reserve(name, content.size());
  write_file_at(fd_of(region), region.offset + region.header, bytes_of(content));
  publish(region, name);
}

void ArchiveBuilder::take_file(const std::string& name, std::unique_ptr<PendingFile> file,
                               std::uint64_t size) {
  Region region{.header = header_of(name, size).size(), .size = size};
  bool stays = region.header == kTarBlockBytes && size > kSmallMember;
  if (stays) {
    const std::scoped_lock lock(mutex_);
    stays = files_ < kMaxFiles;
    if (stays) ++files_;
  }
  if (stays) {
    region.file = std::move(file);
    return publish(region, name);
  }
  region = reserve(name, size);
  try {
    copy_file_bytes(file->fd(), kTarBlockBytes, fd_of(region), region.offset + region.header, size);
  } catch (...) {
    release(region);
    throw;
  }
  publish(region, name);
}

void ArchiveBuilder::adopt(const ArchiveFile& from, const ArchiveMember& member,
                           const std::string& name) {
  if (from.plain_file() < 0) {
    throw Error(Errc::unsupported,
                cat("add to archive ", quoted(from.path()),
                    ": it is compressed; only plain archives get further images"));
  }
  const std::string& target = name.empty() ? member.path : name;
  if (has(target)) return;
  Region region = reserve(target, member.size);
  region.adopted = true;
  try {
    copy_file_bytes(from.plain_file(), member.offset, fd_of(region), region.offset + region.header,
                    member.size);
  } catch (...) {
    release(region);
    throw;
  }
  publish(region, target);
}

std::string ArchiveBuilder::content(const std::string& name, std::uint64_t limit) const {
  Region region;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = members_.find(name);
    if (found == members_.end()) {
      throw Error(Errc::not_found, cat("write archive: no member ", quoted(name)));
    }
    region = found->second;
  }
  const auto fd = std::make_shared<UniqueFd>(::fcntl(fd_of(region), F_DUPFD_CLOEXEC, 0));
  if (!*fd) throw_errno("write archive: duplicate descriptor");
  FileRangeSource source(fd, region.offset + region.header, region.size, "archive");
  return read_all(source, limit, quoted(name));
}

/// What lies in its place stays there; the rest is copied behind it, or, where it is in the way,
/// everything to a new file.
void ArchiveBuilder::arrange(const std::vector<std::string>& order) {
  std::uint64_t end = 0;
  auto next = order.begin();
  for (; next != order.end(); ++next) {
    const Region& region = members_.at(*next);
    if (region.file || region.offset != end) break;
    end += region.length();
  }
  const bool in_the_way = std::any_of(
      next, order.end(), [&](const std::string& name) { return !members_.at(name).file; });
  std::unique_ptr<PendingFile> arranged;
  if (in_the_way) {
    arranged = std::make_unique<PendingFile>(file_->dir());
    next = order.begin();
    end = 0;
  }
  for (; next != order.end(); ++next) {
    const Region& region = members_.at(*next);
    copy_file_bytes(fd_of(region), region.offset, arranged ? arranged->fd() : file_->fd(), end,
                    region.length());
    end += region.length();
  }
  if (arranged) file_ = std::move(arranged);
  // Cut off dropped blobs, then let the file grow by zeros.
  const auto set_size = [&](std::uint64_t size) {
    if (::ftruncate(file_->fd(), static_cast<off_t>(size)) != 0) throw_errno("write archive");
  };
  set_size(end);
  set_size(end + kEndBytes);
}

void ArchiveBuilder::finish(const std::vector<std::string>& order, const std::string& last) {
  const std::scoped_lock lock(mutex_);
  std::set<std::string> placed{last};
  std::vector<std::string> all;
  for (const std::string& name : order) {
    if (members_.contains(name) && placed.insert(name).second) all.push_back(name);
  }
  for (const auto& [name, region] : members_) {
    if (placed.insert(name).second) all.push_back(name);
  }
  if (members_.contains(last)) all.push_back(last);
  arrange(all);
  file_->publish(name_);
}

}  // namespace lade
