#include "libimage/storage/staged_layer.h"

#include <fcntl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/snapshot.h"
#include "libimage/storage/written_source.h"

namespace lade {
namespace {

constexpr std::size_t kMagicBytes = 6;
constexpr mode_t kSplitMode = 0600;

/// containers/storage's numbers.
std::int64_t compression_number(std::string_view codec) {
  if (codec == "bzip2") return 1;
  if (codec == "gzip") return 2;
  if (codec == "xz") return 3;
  return codec == "zstd" ? 4 : 0;
}

ApplyOptions options_for(const GraphDriver& driver, const StoreLocation& location) {
  ApplyOptions options;
  options.overlay_whiteouts = driver.stores_changes();
  options.rights = ::geteuid() == 0 || !location.ignore_chown_errors ? Rights::all : Rights::own;
  return options;
}

/// Fills `root` with a copy of the tree `below`: attributes, hard links, xattrs and all.
void copy_tree(const DirFd& below, const DirFd& root, ApplyOptions options) {
  const auto from = std::make_shared<const DirFd>(duplicate(below));
  WrittenSource tar(diff({}, capture(*from), DirFd(), from));
  options.whiteouts = false;
  (void)apply_layer(root, tar, options);
}

/// The decompressed content, and what it was compressed with.
struct PlainTar {
  std::unique_ptr<Source> source;
  std::int64_t compression = 0;
};

PlainTar plain_tar(std::unique_ptr<Source> blob) {
  auto peekable = std::make_unique<PeekableSource>(std::move(blob));
  const std::int64_t compression = compression_number(codec_of(peekable->peek(kMagicBytes)).name);
  return {decompressed(std::move(peekable)), compression};
}

}  // namespace

StagedLayer stage_layer(std::unique_ptr<Source> blob, const GraphDriver& driver,
                        const StoreLocation& location, StagingDir& staging, const DirFd* below) {
  const std::string name = staging.new_name();
  const ApplyOptions options = options_for(driver, location);
  StagedTree tree = driver.prepare(staging.dir(), name);
  if (below != nullptr) copy_tree(*below, tree.root, options);
  const PlainTar plain = plain_tar(std::move(blob));
  const std::string split_name = cat(name, ".tar-split");
  const UniqueFd split_fd =
      open_entry(staging.dir(), split_name, O_WRONLY | O_CREAT | O_EXCL, kSplitMode);
  FdSink split_file(split_fd.get(), quoted(split_name));
  const std::unique_ptr<Sink> split =
      codec_named("gzip").compress_to(split_file, {.level = 1, .threads = 1});
  TarSplitSource described(*plain.source, *split);
  const ApplyResult applied = apply_layer(tree.root, described, options);
  split->finish();
  tree.has_root = described.summary().has_root;
  return {.tree = std::move(tree),
          .split_name = split_name,
          .diff_id = applied.diff_id,
          .diff_size = applied.bytes,
          .compression = plain.compression,
          .summary = described.summary()};
}

LayerRecord record_of(const StagedLayer& staged, const std::string& id, const std::string& parent,
                      const Digest& digest, std::uint64_t size) {
  return {.id = id,
          .parent = parent,
          .created = to_rfc3339(system_now()),
          .compressed_digest = digest.str(),
          .compressed_size = static_cast<std::int64_t>(size),
          .diff_digest = staged.diff_id.value.str(),
          .diff_size = static_cast<std::int64_t>(staged.diff_size),
          .compression = staged.compression,
          .uids = {staged.summary.uids.begin(), staged.summary.uids.end()},
          .gids = {staged.summary.gids.begin(), staged.summary.gids.end()}};
}

std::string layer_id(const std::string& parent, const DiffId& diff_id) {
  const std::string own(diff_id.value.encoded());
  if (parent.empty()) return own;
  return std::string(sha256_of(cat(parent, "+", own)).encoded());
}

}  // namespace lade
