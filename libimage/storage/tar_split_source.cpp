#include "libimage/storage/tar_split_source.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/members.h"
#include "libimage/io/path.h"
#include "libimage/layer/path_set.h"
#include "libimage/layer/pax.h"
#include "libimage/layer/tar_header.h"
#include "libimage/layer/whiteout.h"
#include "libimage/storage/tar_split_entry.h"

namespace lade {
namespace {

constexpr std::size_t kSegmentBytes = std::size_t{1} << 20U;

PathKey key_of(std::string_view clean) {
  PathKey key;
  if (clean.empty()) return key;
  for (const std::string_view name : split(clean, '/')) key = key.child(name);
  return key;
}

bool below_whiteout(std::string_view clean) {
  for (const std::string_view name : split(clean, '/')) {
    if (name.starts_with(kWhiteoutPrefix)) return true;
  }
  return false;
}

}  // namespace

/// Takes the stream piece by piece, in blocks where headers are.
class TarSplitSource::Scanner {
 public:
  explicit Scanner(Sink& split) : split_(split) {}

  void add(ByteView data) {
    while (!data.empty()) data = data.subspan(take(data));
  }

  void finish() {
    flush_segment();
    flush_lines();
  }

  TarSplitSummary summary;

 private:
  enum class State {
    header,      ///< a block of 512 bytes is being gathered
    body,        ///< of an extended header, being gathered
    content,     ///< of a file, checked
    raw,         ///< content that goes into segments, padding
    sparse_map,  ///< blocks of an old GNU sparse file's map, between its header and content
    rest,        ///< behind the archive
  };

  std::size_t take(ByteView data) {
    switch (state_) {
      case State::header:
        return take_header(data);
      case State::body:
        return take_body(data);
      case State::content:
        return take_content(data);
      case State::raw:
        return take_raw(data);
      case State::sparse_map:
        return take_sparse_map(data);
      case State::rest:
        add_segment(data);
        return data.size();
    }
    return data.size();
  }

  /// Adds to the block that is being gathered; returns how much of `data` that took.
  std::size_t fill_block(ByteView data) {
    const std::size_t count = std::min(data.size(), tar::kBlockBytes - filled_);
    std::memcpy(block_.data() + filled_, data.data(), count);
    add_segment(data.first(count));
    filled_ += count;
    return count;
  }

  std::size_t take_header(ByteView data) {
    const std::size_t count = fill_block(data);
    if (filled_ == tar::kBlockBytes) {
      filled_ = 0;
      read_header();
    }
    return count;
  }

  std::size_t take_body(ByteView data) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), left_));
    body_ += chars_of(data.first(count));
    add_segment(data.first(count));
    left_ -= count;
    if (left_ == 0) end_body();
    return count;
  }

  std::size_t take_content(ByteView data) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), left_));
    crc_ = crc64_iso(crc_, data.first(count));
    left_ -= count;
    if (left_ == 0) end_content();
    return count;
  }

  std::size_t take_raw(ByteView data) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), left_));
    add_segment(data.first(count));
    left_ -= count;
    if (left_ == 0) state_ = State::header;
    return count;
  }

  std::size_t take_sparse_map(ByteView data) {
    const std::size_t count = fill_block(data);
    if (filled_ == tar::kBlockBytes) {
      filled_ = 0;
      if (block_[tar::kExtensionIsExtended] == 0) {
        state_ = left_ == 0 ? State::header : State::raw;
      }
    }
    return count;
  }

  void read_header() {
    // Whoever reads the stream refuses what is no header; here it is bytes like others.
    if (tar::is_zero(block_) || !tar::checksum_matches(block_)) {
      state_ = State::rest;
      return;
    }
    const char flag = block_[tar::kTypeOffset];
    if (flag == 'x' || flag == 'g' || flag == 'L' || flag == 'K') {
      start_body(flag);
    } else {
      read_entry(flag);
      pax_ = {};
      long_name_.reset();
    }
  }

  void start_body(char flag) {
    const std::uint64_t size = tar::number_in(block_, tar::kSize, "size");
    if (size > limits_.max_pax_bytes) {
      throw Error(Errc::limit_exceeded, cat("tar stream: extended header of ", size,
                                            " bytes is longer than ", limits_.max_pax_bytes));
    }
    body_flag_ = flag;
    body_size_ = static_cast<std::size_t>(size);
    body_.clear();
    left_ = tar::padded(size);
    if (left_ != 0) state_ = State::body;
  }

  void end_body() {
    state_ = State::header;
    body_.resize(body_size_);
    if (body_flag_ == 'x') {
      tar::read_pax(body_, tar::PaxScope::entry, limits_, pax_);
    } else if (body_flag_ == 'g') {
      tar::read_pax(body_, tar::PaxScope::global, limits_, global_);
    } else if (body_flag_ == 'L') {
      body_.erase(body_.find_last_not_of('\0') + 1);
      long_name_ = std::move(body_);
    }
    body_.clear();
  }

  void read_entry(char flag) {
    std::string name = tar::path_of(block_);
    if (long_name_) name = *long_name_;
    if (pax_.path) name = *pax_.path;
    if (pax_.sparse_name) name = *pax_.sparse_name;
    const bool regular =
        flag == '0' || flag == '7' || flag == 'S' || (flag == '\0' && !name.ends_with('/'));
    const bool has_size = flag != '1' && flag != '2';
    const std::uint64_t size = !has_size   ? 0
                               : pax_.size ? *pax_.size
                                           : tar::number_in(block_, tar::kSize, "size");
    if (size > limits_.max_bytes) {
      throw Error(Errc::limit_exceeded,
                  cat("tar stream: more than ", limits_.max_bytes, " bytes of file content"));
    }
    const bool sparse = flag == 'S' || pax_.sparse_major || pax_.sparse_map || pax_.sparse_size;
    note_owner(name);
    start_content(std::move(name), size, regular && !sparse);
    if (flag == 'S' && block_[tar::kGnuIsExtended] != 0) state_ = State::sparse_map;
  }

  void note_owner(const std::string& name) {
    const std::size_t slash = name.rfind('/');
    const std::string_view base =
        std::string_view(name).substr(slash == std::string::npos ? 0 : slash + 1);
    if (base.starts_with(kWhiteoutPrefix)) return;
    const auto owner = [&](const auto& own, const auto& all, tar::Field field) {
      if (own) return *own;
      return all ? *all : tar::number_in(block_, field, "owner");
    };
    insert_id(summary.uids, owner(pax_.uid, global_.uid, tar::kUid));
    insert_id(summary.gids, owner(pax_.gid, global_.gid, tar::kGid));
  }

  static void insert_id(std::set<std::uint32_t>& ids, std::uint64_t id) {
    if (id < 0xFFFF'FFFF) ids.insert(static_cast<std::uint32_t>(id));
  }

  void start_content(std::string name, std::uint64_t size, bool in_tree) {
    const std::string clean = clean_path(name);
    if (clean.empty()) summary.has_root = true;
    const PathKey key = key_of(clean);
    const bool seen = names_.contains(key);
    if (seen && with_content_.contains(key)) {
      throw Error(Errc::unsupported,
                  cat("layer has two entries named ", quoted(name),
                      ": containers-storage cannot hold the first one's content"));
    }
    names_.insert(key);
    left_ = tar::padded(size);
    if (size != 0 && (!in_tree || seen || below_whiteout(clean))) {
      state_ = State::raw;
      return;
    }
    if (seen) return;
    entry_ = {.type = TarSplitEntry::Type::file, .name = std::move(name), .size = size};
    if (size == 0) {
      add_file_line();
      return;
    }
    with_content_.insert(key);
    flush_segment();
    crc_ = 0;
    left_ = size;
    padding_ = tar::padded(size) - size;
    state_ = State::content;
  }

  void end_content() {
    entry_.crc = crc_;
    add_file_line();
    left_ = padding_;
    state_ = left_ == 0 ? State::header : State::raw;
  }

  void add_file_line() {
    flush_segment();
    append_tar_split_entry(lines_, entry_, position_++);
    flush_lines_if_many();
  }

  void add_segment(ByteView data) {
    while (!data.empty()) {
      const std::size_t count = std::min(data.size(), kSegmentBytes - segment_.bytes.size());
      segment_.bytes += chars_of(data.first(count));
      data = data.subspan(count);
      if (segment_.bytes.size() == kSegmentBytes) flush_segment();
    }
  }

  void flush_segment() {
    if (segment_.bytes.empty()) return;
    append_tar_split_entry(lines_, segment_, position_++);
    segment_.bytes.clear();
    flush_lines_if_many();
  }

  void flush_lines_if_many() {
    if (lines_.size() >= kChunkBytes) flush_lines();
  }

  void flush_lines() {
    if (!lines_.empty()) split_.write(bytes_of(lines_));
    lines_.clear();
  }

  Sink& split_;
  const ApplyLimits limits_ = {};
  State state_ = State::header;
  tar::Block block_{};
  std::size_t filled_ = 0;  // bytes of block_
  std::uint64_t left_ = 0;  // bytes of the body, content or raw part still to come
  std::uint64_t padding_ = 0;
  char body_flag_ = 0;
  std::size_t body_size_ = 0;  // without padding
  std::string body_;
  tar::PaxValues pax_;
  tar::PaxValues global_;
  std::optional<std::string> long_name_;
  PathSet names_;
  PathSet with_content_;
  std::uint64_t crc_ = 0;
  TarSplitEntry entry_;
  TarSplitEntry segment_;
  std::string lines_;
  std::uint64_t position_ = 0;
};

TarSplitSource::TarSplitSource(Source& tar, Sink& split)
    : tar_(tar), scanner_(std::make_unique<Scanner>(split)) {}
TarSplitSource::~TarSplitSource() = default;

std::size_t TarSplitSource::read(std::span<std::byte> out) {
  const std::size_t got = tar_.read(out);
  if (got == 0) {
    scanner_->finish();
  } else {
    scanner_->add(out.first(got));
  }
  return got;
}

const TarSplitSummary& TarSplitSource::summary() const noexcept { return scanner_->summary; }

}  // namespace lade
