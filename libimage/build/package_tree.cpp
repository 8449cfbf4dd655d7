#include "libimage/build/package_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

class TreeFile final : public packages::File {
 public:
  TreeFile(const ContentRef& content, std::uint64_t size) : text_(content.text), size_(size) {
    if (!text_)
      fd_ = open_in_root(*content.root, content.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    else
      size_ = text_->size();
  }
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (text_) return packages::TextFile(*text_).read_at(offset, out);
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(fd_.get(), out.data() + done, out.size() - done,
                                  static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("read a file of the image");
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  std::shared_ptr<const std::string> text_;
  UniqueFd fd_;
  std::uint64_t size_;
};

}  // namespace

std::optional<std::vector<packages::TreeEntry>> PackageTree::list(const std::string& path) {
  const std::string directory = root_.resolve(path);
  const auto found = root_.lookup(directory);
  if (!directory.empty() && (!found || found->type != FileType::directory)) return std::nullopt;
  std::vector<packages::TreeEntry> out;
  for (std::string& name : root_.list(directory)) {
    const auto entry = root_.lookup(directory.empty() ? name : cat(directory, "/", name));
    if (!entry) continue;
    using Kind = packages::TreeEntry::Kind;
    const Kind kind = entry->type == FileType::directory ? Kind::directory
                      : entry->type == FileType::regular ? Kind::file
                                                         : Kind::other;
    out.push_back({.name = std::move(name),
                   .kind = kind,
                   .size = entry->size,
                   .executable = (entry->mode & 0111U) != 0});
  }
  return out;
}

std::unique_ptr<packages::File> PackageTree::open(const std::string& path) {
  const std::string file = root_.resolve(path);
  const auto found = root_.lookup(file);
  if (!found || found->type != FileType::regular) return nullptr;
  return std::make_unique<TreeFile>(root_.content(file), found->size);
}

}  // namespace lade::build
