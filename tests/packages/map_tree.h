/// A tree made of texts.
#pragma once
#include <map>
#include <string>
#include <utility>

#include "libimage/packages/tree.h"

namespace lade::packages {

/// Owns its text.
class OwnedFile final : public File {
 public:
  explicit OwnedFile(std::string text) : text_(std::move(text)), file_(text_) {}
  [[nodiscard]] std::uint64_t size() const override { return file_.size(); }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) override {
    return file_.read_at(offset, out);
  }

 private:
  std::string text_;
  TextFile file_;
};

/// Paths to contents; all files are executable.
class MapTree final : public Tree {
 public:
  explicit MapTree(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  std::optional<std::vector<TreeEntry>> list(const std::string& path) override {
    const std::string prefix = path.empty() ? "" : path + "/";
    std::map<std::string, TreeEntry> found;
    for (const auto& [name, text] : files_) {
      if (!name.starts_with(prefix)) continue;
      const std::string rest = name.substr(prefix.size());
      const std::size_t slash = rest.find('/');
      TreeEntry& entry = found[rest.substr(0, slash)];
      entry.name = rest.substr(0, slash);
      entry.kind = slash == std::string::npos ? TreeEntry::Kind::file : TreeEntry::Kind::directory;
      entry.size = text.size();
      entry.executable = true;
    }
    if (found.empty()) return std::nullopt;
    std::vector<TreeEntry> out;
    for (auto& [name, entry] : found) out.push_back(std::move(entry));
    return out;
  }
  std::unique_ptr<File> open(const std::string& path) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return nullptr;
    return std::make_unique<OwnedFile>(found->second);
  }

 private:
  std::map<std::string, std::string> files_;
};

/// An ELF file of 64 bits with a section .go.buildinfo that says `toolchain` and `modules`.
inline std::string go_program(const std::string& toolchain, const std::string& modules,
                              char flags = 2) {
  const auto number = [](std::string& to, std::size_t at, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) to.at(at + i) = static_cast<char>(value >> (8 * i));
  };
  const auto text = [](const std::string& value) {
    std::string out;
    std::size_t left = value.size();
    for (; left >= 0x80; left >>= 7U) out += static_cast<char>((left & 0x7FU) | 0x80U);
    return out + static_cast<char>(left) + value;
  };
  std::string info = std::string("\xff Go buildinf:") + '\x08' + flags + std::string(16, '\0') +
                     text(toolchain) + text(std::string(16, 'm') + modules + std::string(16, 'm'));
  const std::string names("\0.go.buildinfo\0.shstrtab\0", 25);
  std::string file(64, '\0');
  file.replace(0, 7,
               std::string("\x7f"
                           "ELF\x02\x01\x01",
                           7));
  const std::size_t info_at = file.size();
  file += info;
  const std::size_t names_at = file.size();
  file += names;
  const std::size_t sections_at = file.size();
  file += std::string(3 * 64, '\0');
  number(file, 40, sections_at, 8);
  number(file, 60, 3, 2);
  number(file, 62, 2, 2);
  const auto section = [&](std::size_t index, std::uint64_t name, std::size_t at,
                           std::size_t size) {
    number(file, sections_at + index * 64, name, 4);
    number(file, sections_at + index * 64 + 24, at, 8);
    number(file, sections_at + index * 64 + 32, size, 8);
  };
  section(1, 1, info_at, info.size());
  section(2, 15, names_at, names.size());
  return file;
}

}  // namespace lade::packages
