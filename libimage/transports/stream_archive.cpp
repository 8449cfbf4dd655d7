#include "libimage/transports/stream_archive.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/store/blob_check.h"
#include "libimage/transports/input_file.h"
#include "libimage/transports/tar_header.h"

namespace lade {
namespace {

constexpr std::size_t kEndBytes = 2 * kTarBlockBytes;  // the end-of-archive blocks
constexpr std::size_t kMaxWaiting = 64;                // a descriptor each

Error broken_stream() {
  return Error(Errc::io, "write archive: the stream was broken off in the middle of a member")
      .as_final();
}

}  // namespace

/// One blob: straight into the stream if that is free at its first byte, else beside it first.
class StreamBlobWriter final : public BlobWriter {
 public:
  StreamBlobWriter(StreamArchive& archive, const BlobHint& hint) : archive_(archive), check_(hint) {
    if (hint.expected) {
      name_ = archive.archive_.name_of(hint.expected->media_type, hint.expected->digest);
    }
  }

  ~StreamBlobWriter() override {
    if (entered_) archive_.leave(StreamArchive::State::broken);
  }

  void write(ByteView data) override {
    check_.add(data);
    if (data.empty()) return;
    if (!entered_ && !file_) begin();
    if (file_) return file_->write(data);
    archive_.out_->write(data);
    if (text_) text_->append(chars_of(data));
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    oci::Descriptor blob = check_.result(std::move(media_type));
    const std::string name = archive_.archive_.name_of(blob.media_type, blob.digest);
    if (!entered_) {
      archive_.submit({.name = name, .size = blob.size, .file = std::move(file_)});
      return blob;
    }
    if (name != name_) throw Error(Errc::internal, "write archive: a blob changed its name");
    archive_.write_padding(blob.size);
    archive_.note(name, blob.size, text_ ? &*text_ : nullptr);
    entered_ = false;
    archive_.leave(StreamArchive::State::whole);
    return blob;
  }

 private:
  void begin() {
    if (!check_.expected() || archive_.has(name_) || !archive_.try_enter()) {
      file_ = std::make_unique<PendingFile>(archive_.temp_, PendingFile::Kind::unnamed, 0600);
      return;
    }
    entered_ = true;
    if (archive_.reads_back(name_)) text_.emplace();
    archive_.write_header(name_, check_.expected()->size);
  }

  StreamArchive& archive_;
  BlobCheck check_;
  std::string name_;  // "" where the digest is not known yet
  bool entered_ = false;
  std::optional<std::string> text_;
  std::unique_ptr<PendingFile> file_;
};

StreamArchive::StreamArchive(std::unique_ptr<Sink> out, ArchiveOptions archive,
                             const SessionOptions& options)
    : out_(std::move(out)),
      archive_(archive),
      temp_(open_dir(options.temp_root)),
      stop_(options.stop) {}

StreamArchive::~StreamArchive() = default;

std::unique_ptr<BlobWriter> StreamArchive::start_blob(const BlobHint& hint) {
  throw_if_broken();
  return std::make_unique<StreamBlobWriter>(*this, hint);
}

bool StreamArchive::contains(const oci::Descriptor& blob) const {
  const std::scoped_lock lock(mutex_);
  const auto found = members_.find(archive_.name_of(blob.media_type, blob.digest));
  return found != members_.end() && found->second == blob.size;
}

bool StreamArchive::has(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return members_.contains(name);
}

void StreamArchive::add(const std::string& name, std::string_view content) {
  submit({.name = name, .size = content.size(), .text = std::string(content)});
}

std::string StreamArchive::content(const std::string& name, std::uint64_t limit) const {
  const std::scoped_lock lock(mutex_);
  const auto found = texts_.find(name);
  if (found == texts_.end()) {
    throw Error(Errc::not_found, cat("write archive: no member ", quoted(name)));
  }
  if (found->second.size() > limit) {
    throw Error(Errc::limit_exceeded,
                cat("write archive: ", quoted(name), " has more than ", limit, " bytes"));
  }
  return found->second;
}

void StreamArchive::adopt(const ArchiveFile& /*from*/, const ArchiveMember& /*member*/,
                          const std::string& /*name*/) {
  throw Error(Errc::unsupported, "write archive: nothing can be added to a stream");
}

bool StreamArchive::reads_back(std::string_view name) const {
  return archive_.is_read_back != nullptr && archive_.is_read_back(name);
}

void StreamArchive::throw_if_broken() const {
  const std::scoped_lock lock(mutex_);
  if (broken_) throw broken_stream();
}

bool StreamArchive::try_enter() {
  throw_if_broken();
  const std::scoped_lock lock(mutex_);
  return !std::exchange(entered_, true);
}

void StreamArchive::leave(State state) {
  std::unique_lock lock(mutex_);
  while (state == State::whole && !waiting_.empty()) {
    const Member member = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    lock.unlock();
    try {
      write_member(member);
    } catch (...) {
      lock.lock();
      broken_ = true;
      entered_ = false;
      changed_.notify_all();
      throw;
    }
    lock.lock();
  }
  broken_ = broken_ || state == State::broken;
  entered_ = false;
  changed_.notify_all();
}

void StreamArchive::submit(Member member) {
  throw_if_broken();
  std::string text = member.text;
  if (reads_back(member.name) && member.file) {
    const std::uint64_t limit = oci::kMaxConfigBytes;
    if (member.size > limit) {
      throw Error(Errc::limit_exceeded, cat("write archive: ", quoted(member.name), " of ",
                                            member.size, " bytes, more than ", limit));
    }
    text.resize(static_cast<std::size_t>(member.size));
    (void)read_file_range(member.file->fd(), 0,
                          std::as_writable_bytes(std::span(text.data(), text.size())));
  }
  std::unique_lock lock(mutex_);
  // A digest names its bytes: the first member of a name will do.
  if (!members_.emplace(member.name, member.size).second) return;
  if (reads_back(member.name)) texts_.emplace(member.name, std::move(text));
  if (entered_) {
    const bool room = changed_.wait(
        lock, stop_, [&] { return !entered_ || broken_ || waiting_.size() < kMaxWaiting; });
    if (!room) throw Cancelled();
    if (broken_) throw broken_stream();
  }
  waiting_.push_back(std::move(member));
  if (std::exchange(entered_, true)) return;  // who owns the stream writes it
  lock.unlock();
  leave(State::whole);
}

void StreamArchive::note(const std::string& name, std::uint64_t size, const std::string* text) {
  const std::scoped_lock lock(mutex_);
  members_.emplace(name, size);
  if (text != nullptr) texts_.emplace(name, *text);
}

void StreamArchive::write_header(const std::string& name, std::uint64_t size) {
  out_->write(bytes_of(make_tar_header(name, size, name.ends_with('/') ? 0755 : archive_.mode)));
}

void StreamArchive::write_padding(std::uint64_t size) {
  const std::string padding(static_cast<std::size_t>(padded_size(size) - size), '\0');
  if (!padding.empty()) out_->write(bytes_of(padding));
}

void StreamArchive::write_member(const Member& member) {
  write_header(member.name, member.size);
  if (member.file) {
    std::vector<std::byte> buffer(kChunkBytes);
    for (std::uint64_t at = 0; at < member.size;) {
      const std::size_t got = read_file_range(member.file->fd(), at, buffer);
      if (got == 0) throw Error(Errc::io, "write archive: a gathered blob became shorter");
      out_->write(ByteView(buffer).first(got));
      at += got;
    }
  } else if (!member.text.empty()) {
    out_->write(bytes_of(member.text));
  }
  write_padding(member.size);
}

void StreamArchive::finish(const std::vector<std::string>& /*order*/, const std::string& /*last*/) {
  throw_if_broken();
  if (!try_enter()) {
    throw Error(Errc::internal, "write archive: finished while a blob is in the making");
  }
  leave(State::whole);
  out_->write(bytes_of(std::string(kEndBytes, '\0')));
  out_->finish();
}

}  // namespace lade
