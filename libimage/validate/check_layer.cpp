#include "libimage/validate/check_layer.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/whiteout.h"

namespace lade::validate {
namespace {

constexpr std::size_t kMagicBytes = 6;
constexpr std::size_t kMaxWhiteouts = 100'000;  // remembered for comparison with lower layers

/// Remembers whether it was `inner` that failed, and not who reads it.
class WatchedSource final : public Source {
 public:
  explicit WatchedSource(std::unique_ptr<Source> inner) : inner_(std::move(inner)) {}
  std::size_t read(std::span<std::byte> out) override {
    try {
      return inner_->read(out);
    } catch (...) {
      failure_ = std::current_exception();
      throw;
    }
  }
  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::unique_ptr<Source> inner_;
  std::exception_ptr failure_;
};

/// Hashes what it passes on.
class HashedSource final : public Source {
 public:
  explicit HashedSource(Source& inner) : inner_(inner) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t got = inner_.read(out);
    hasher_.update(ByteView(out.first(got)));
    bytes_ += got;
    return got;
  }
  [[nodiscard]] Digest digest() const { return hasher_.digest(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Source& inner_;
  Hasher hasher_;
  std::uint64_t bytes_ = 0;
};

std::uint64_t hash_of(std::string_view path) { return std::hash<std::string_view>()(path); }

/// `path` without "./" and slashes at its ends; nullopt if it leaves the root.
std::optional<std::string> clean(std::string_view path) {
  std::string out;
  for (const std::string_view piece : split(path, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece == "..") return std::nullopt;
    if (!out.empty()) out += '/';
    out += piece;
  }
  return out;
}

class EntryChecker {
 public:
  EntryChecker(CheckedLayer& out, const std::string& place) : out_(out), place_(place) {}

  void check(const TarEntry& entry, const TarHeaderFacts& facts) {
    ++out_.entries;
    const std::optional<std::string> path = clean(entry.path);
    if (!path) {
      add("entry-path", entry.path, "leaves the root");
      return;
    }
    if (entry.path.starts_with('/')) add("entry-path", entry.path, "is absolute");
    if (!seen_.insert(hash_of(*path)).second && !path->empty()) {
      add("entry-duplicate", *path, "is there twice");
    }
    remember_parents(*path);
    const std::size_t slash = path->rfind('/');
    const std::string name = slash == std::string::npos ? *path : path->substr(slash + 1);
    const std::string parent = slash == std::string::npos ? std::string() : path->substr(0, slash);
    if (name.starts_with(kWhiteoutPrefix)) {
      check_whiteout(parent, name, *path, facts);
      return;
    }
    paths_.insert(hash_of(*path));
    if (entry.kind == LayerEntry::Kind::hardlink) check_hard_link(*path, entry.link_to);
  }

  void finish() {
    for (const LayerPaths::Hidden& whiteout : out_.paths.whiteouts) {
      if (!whiteout.opaque && paths_.contains(hash_of(whiteout.path))) {
        add("whiteout-own-layer", whiteout.path, "is in the layer together with its whiteout");
      }
    }
    out_.paths.entries.assign(paths_.begin(), paths_.end());
    std::sort(out_.paths.entries.begin(), out_.paths.entries.end());
  }

  void add(std::string_view rule_id, std::string_view path, std::string message) {
    if (out_.findings.size() >= kMaxLayerFindings) {
      ++out_.left_out;
      return;
    }
    out_.findings.push_back({&rule(rule_id), place_, printable(path), std::move(message)});
  }

 private:
  void remember_parents(std::string_view path) {
    for (std::size_t at = path.rfind('/'); at != std::string_view::npos; at = path.rfind('/')) {
      path = path.substr(0, at);
      if (!paths_.insert(hash_of(path)).second) return;  // then its parents are there too
    }
  }

  void check_whiteout(const std::string& parent, const std::string& name, const std::string& path,
                      const TarHeaderFacts& facts) {
    if (facts.size > 0) add("whiteout-content", path, cat("has ", facts.size, " bytes"));
    const bool opaque = name == kOpaqueName;
    const std::string hidden = name.substr(kWhiteoutPrefix.size());
    if (!opaque && (hidden.empty() || hidden == "." || hidden == ".." ||
                    hidden.starts_with(kWhiteoutPrefix))) {
      add("whiteout-name", path, "hides nothing that has a name");
      return;
    }
    if (out_.paths.whiteouts.size() >= kMaxWhiteouts) return;
    out_.paths.whiteouts.push_back({.path = opaque           ? parent
                                            : parent.empty() ? hidden
                                                             : cat(parent, "/", hidden),
                                    .opaque = opaque});
  }

  void check_hard_link(const std::string& path, const std::string& target) {
    const std::optional<std::string> cleaned = clean(target);
    if (!cleaned) {
      add("entry-path", path, cat("is a hard link to ", quoted(target), ", outside the root"));
    } else if (!paths_.contains(hash_of(*cleaned))) {
      add("entry-hard-link", path,
          cat("is a link to ", quoted(target), ", which no earlier entry is"));
    }
  }

  CheckedLayer& out_;
  const std::string& place_;
  std::unordered_set<std::uint64_t> seen_;   // entries, whiteouts as they are called
  std::unordered_set<std::uint64_t> paths_;  // what the layer makes: files and their directories
};

void check_entries(Source& tar, EntryChecker& checker) {
  TarReader reader(tar);
  while (const std::optional<TarEntry> entry = reader.next()) checker.check(*entry, reader.facts());
  reader.drain_rest();
}

}  // namespace

bool LayerPaths::holds(std::string_view path) const {
  return std::binary_search(entries.begin(), entries.end(), hash_of(path));
}

CheckedLayer check_layer(std::unique_ptr<Source> source, std::string_view codec,
                         const std::string& place) {
  CheckedLayer out{.diff_id = {sha256_of("")}};
  EntryChecker checker(out, place);
  auto watched = std::make_unique<WatchedSource>(std::move(source));
  const WatchedSource& stored = *watched;
  PeekableSource peekable(std::move(watched));
  const Codec& found = codec_of(peekable.peek(kMagicBytes));
  if (!codec.empty() && found.name != codec) {
    checker.add("layer-codec", "",
                cat("the media type says ", codec, ", the content is ", found.name));
  }
  const std::unique_ptr<Source> plain = found.decompress_from(peekable, {});
  HashedSource hashed(*plain);
  try {
    check_entries(hashed, checker);
  } catch (const Error& e) {
    stored.rethrow_failure();
    checker.add("layer-tar", "", e.what());
    try {
      (void)drain(hashed);  // the diff ID is of all bytes, whatever they are
    } catch (const Error&) {
      stored.rethrow_failure();
      (void)drain(peekable);  // so that the stored bytes are verified
    }
  }
  checker.finish();
  out.diff_id = {hashed.digest()};
  out.unpacked = hashed.bytes();
  return out;
}

}  // namespace lade::validate
