#include "libimage/build/unpack.h"

#include <array>
#include <span>

#include <fcntl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/archive_list.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"

namespace lade::build {
namespace {

std::unique_ptr<Source> opened(const ContentRef& file) {
  UniqueFd fd = open_in_root(*file.root, file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  return std::make_unique<FdSource>(std::move(fd), file.path);
}

enum class Form { none, plain, compressed };

/// Of the archive that `file` is.
Form form_of(const ContentRef& file) {
  try {
    std::array<std::byte, 512> head{};
    const std::unique_ptr<Source> bytes = opened(file);
    std::size_t got = 0;
    while (got < head.size()) {
      const std::size_t more = bytes->read(std::span(head).subspan(got));
      if (more == 0) break;
      got += more;
    }
    const bool plain = is_tar_start(std::span(head).first(got));
    const std::unique_ptr<Source> content = decompressed(opened(file));
    TarReader reader(*content);
    if (!reader.next()) return Form::none;
    return plain ? Form::plain : Form::compressed;
  } catch (const Error&) {  // whatever else it is, it is copied as it is
    return Form::none;
  }
}

/// `file` decompressed into the new `room`.
ContentRef decompressed_into(const LocalStore::Workspace& room, const ContentRef& file) {
  const auto root = std::make_shared<const DirFd>(open_dir(room.path()));
  const std::string name = "tar";
  const UniqueFd fd = open_entry(*root, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  FdSink out(fd.get(), "unpacked archive");
  const std::unique_ptr<Source> content = decompressed(opened(file));
  pump(*content, out);
  return {.root = root, .path = name};
}

/// The archive `tar`, which is not compressed, as its headers have it, its contents left where they
/// are.
std::optional<UnpackedArchive> listed(const ContentRef& tar, const std::optional<Owner>& owner,
                                      std::size_t number) {
  const std::unique_ptr<Source> bytes = opened(tar);
  HashingSource hashed(*bytes);
  auto list = list_archive(hashed, owner, UINT64_MAX - number);
  if (!list) return std::nullopt;
  UnpackedArchive out{.snapshot = std::move(list->snapshot)};
  out.digest = raw_sha256(hashed.digest());
  out.content = [tar, offsets = std::move(list->offsets)](const std::string& path) {
    ContentRef piece = tar;
    piece.offset = offsets.at(path);
    return piece;
  };
  return out;
}

UnpackedArchive unpacked(LocalStore& store, const ContentRef& tar,
                         const std::optional<Owner>& owner) {
  UnpackedArchive out{.room = store.workspace()};
  ApplyOptions options{.rights = rights_in_store(), .whiteouts = false};
  if (owner) {
    options.force_uid = owner->uid;
    options.force_gid = owner->gid;
  }
  const std::unique_ptr<Source> content = decompressed(opened(tar));
  apply_layer(create_dir(out.room->fs_path()), *content, options);
  const auto root = std::make_shared<const DirFd>(open_dir(out.room->fs_path()));
  out.snapshot = capture(*root);
  out.content = [root](const std::string& path) { return ContentRef{.root = root, .path = path}; };
  return out;
}

UnpackedArchive archive_in(LocalStore& store, const ContentRef& file, Form form,
                           const std::optional<Owner>& owner, std::size_t number) {
  if (::geteuid() != 0) return unpacked(store, file, owner);
  if (form == Form::plain) {
    auto list = listed(file, owner, number);
    return list ? std::move(*list) : unpacked(store, file, owner);
  }
  auto room = store.workspace();
  const ContentRef tar = decompressed_into(*room, file);
  auto list = listed(tar, owner, number);
  if (!list) return unpacked(store, tar, owner);
  list->digest.reset();  // not the file's
  list->room = std::move(room);
  return std::move(*list);
}

}  // namespace

std::optional<UnpackedArchive> unpack_if_archive(LocalStore& store, const ContentRef& file,
                                                 const std::optional<Owner>& owner,
                                                 std::size_t number) {
  const Form form = file.text ? Form::none : form_of(file);
  if (form == Form::none) return std::nullopt;
  return with_context([&] { return cat("unpack ", quoted(file.path)); },
                      [&] { return std::optional(archive_in(store, file, form, owner, number)); });
}

}  // namespace lade::build
