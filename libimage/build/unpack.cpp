#include "libimage/build/unpack.h"

#include <fcntl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"

namespace lade::build {
namespace {

std::unique_ptr<Source> opened(const ContentRef& file) {
  UniqueFd fd = open_in_root(*file.root, file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  return std::make_unique<FdSource>(std::move(fd), file.path);
}

bool is_archive(const ContentRef& file) {
  try {
    const std::unique_ptr<Source> content = decompressed(opened(file));
    TarReader reader(*content);
    return reader.next().has_value();
  } catch (const Error&) {  // whatever else it is, it is copied as it is
    return false;
  }
}

}  // namespace

std::optional<UnpackedArchive> unpack_if_archive(LocalStore& store, const ContentRef& file,
                                                 const std::optional<Owner>& owner) {
  if (file.text || !is_archive(file)) return std::nullopt;
  UnpackedArchive out{.room = store.workspace(), .root = nullptr, .snapshot = {}};
  DirFd root = create_dir(out.room->fs_path());
  ApplyOptions options{.privileged = ::geteuid() == 0, .whiteouts = false};
  if (owner) {
    options.force_uid = owner->uid;
    options.force_gid = owner->gid;
  }
  const std::unique_ptr<Source> content = decompressed(opened(file));
  with_context([&] { return cat("unpack ", quoted(file.path)); },
               [&] { apply_layer(root, *content, options); });
  DirFd readable = open_dir(out.room->fs_path());
  out.snapshot = capture(readable);
  out.root = std::make_shared<const DirFd>(std::move(readable));
  return out;
}

}  // namespace lade::build
