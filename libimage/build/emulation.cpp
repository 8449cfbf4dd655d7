#include "libimage/build/emulation.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <dirent.h>
#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

constexpr std::size_t kElfHead = 20;  // up to e_machine
constexpr std::uint64_t kMaxRegistration = 64 * 1024;

/// e_machine and the layout of an architecture's ELF files.
struct Elf {
  std::string_view architecture;
  std::uint16_t machine;
  bool wide;  // 64 bits
  bool big;   // most significant byte first
};
constexpr std::array<Elf, 12> kElfs = {{
    {"386", 3, false, false},
    {"amd64", 62, true, false},
    {"arm", 40, false, false},
    {"arm64", 183, true, false},
    {"loong64", 258, true, false},
    {"mips", 8, false, true},
    {"mips64", 8, true, true},
    {"mips64le", 8, true, false},
    {"mipsle", 8, false, false},
    {"ppc64le", 21, true, false},
    {"riscv64", 243, true, false},
    {"s390x", 22, true, true},
}};

using Head = std::array<unsigned char, kElfHead>;

std::optional<Head> elf_head(std::string_view architecture) {
  const auto* elf = std::find_if(kElfs.begin(), kElfs.end(),
                                 [&](const Elf& e) { return e.architecture == architecture; });
  if (elf == kElfs.end()) return std::nullopt;
  Head head = {0x7f, 'E', 'L', 'F'};
  head[4] = elf->wide ? 2 : 1;
  head[5] = elf->big ? 2 : 1;
  head[6] = 1;
  head[elf->big ? 17 : 16] = 2;  // ET_EXEC
  head[elf->big ? 19 : 18] = static_cast<unsigned char>(elf->machine & 0xffU);
  head[elf->big ? 18 : 19] = static_cast<unsigned char>(elf->machine >> 8U);
  return head;
}

std::optional<std::vector<unsigned char>> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<unsigned char> out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::size_t high = kDigits.find(text[i]);
    const std::size_t low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out.push_back(static_cast<unsigned char>(high * 16 + low));
  }
  return out;
}

/// A file of binfmt_misc (Documentation/admin-guide/binfmt-misc.rst of Linux).
struct Registration {
  bool enabled = false;
  std::string_view interpreter = {};
  std::string_view flags = {};
  std::uint64_t offset = 0;
  std::vector<unsigned char> magic = {};
  std::vector<unsigned char> mask = {};  // empty: all bits count
};

Registration parsed(std::string_view text) {
  Registration out;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t blank = line.find(' ');
    const std::string_view name = line.substr(0, blank);
    const std::string_view value =
        blank == std::string_view::npos ? std::string_view() : trimmed(line.substr(blank));
    if (name == "enabled") out.enabled = true;
    if (name == "interpreter") out.interpreter = value;
    if (name == "flags:") out.flags = value;
    if (name == "offset") out.offset = parse_decimal(value).value_or(kElfHead);
    if (name == "magic") out.magic = from_hex(value).value_or(out.magic);
    if (name == "mask") out.mask = from_hex(value).value_or(out.mask);
  }
  return out;
}

bool matches(const Registration& found, const Head& head) {
  if (found.magic.empty() || found.offset >= kElfHead ||
      found.magic.size() > kElfHead - found.offset)
    return false;
  for (std::size_t i = 0; i < found.magic.size(); ++i) {
    const unsigned mask = i < found.mask.size() ? found.mask[i] : 0xffU;
    if (((head[found.offset + i] ^ found.magic[i]) & mask) != 0) return false;
  }
  return true;
}

/// True for what the host's own processor and kernel execute.
bool runs_natively(const std::string& architecture, const std::string& host) {
  return architecture == host || (host == "amd64" && architecture == "386") ||
         (host == "arm64" && architecture == "arm");
}

std::vector<std::string> names_in(const std::string& path) {
  struct Close {
    void operator()(DIR* stream) const noexcept { ::closedir(stream); }
  };
  const std::unique_ptr<DIR, Close> stream(::opendir(path.c_str()));
  std::vector<std::string> names;
  while (const dirent* entry = stream ? ::readdir(stream.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with('.') && name != "status" && name != "register") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> try_read(const std::string& path) {
  try {
    return read_file(path, kMaxRegistration);
  } catch (const Error&) {  // gone meanwhile, or not for us: as good as absent
    return std::nullopt;
  }
}

}  // namespace

bool registers_architecture(std::string_view text, std::string_view architecture) {
  const auto head = elf_head(architecture);
  return head && matches(parsed(text), *head);
}

void require_emulation(const oci::Platform& platform, const oci::Platform& host,
                       const std::string& binfmt_dir) {
  const auto refuse = [&](std::string_view why) {
    throw Error(Errc::unsupported,
                cat("this machine (", oci::to_string(host), ") cannot execute programs of ",
                    oci::to_string(platform), ": ", why));
  };
  if (platform.os != host.os) refuse("they are for another operating system");
  if (runs_natively(platform.architecture, host.architecture)) return;
  const auto status = try_read(cat(binfmt_dir, "/status"));
  if (!status)
    refuse(cat("binfmt_misc is not mounted at ", binfmt_dir,
               ": mount it, and install the package qemu-user-static"));
  if (trimmed(*status) != "enabled") refuse(cat("binfmt_misc is disabled in ", binfmt_dir));
  for (const std::string& name : names_in(binfmt_dir)) {
    const auto text = try_read(cat(binfmt_dir, "/", name));
    if (!text || !registers_architecture(*text, platform.architecture)) continue;
    const Registration found = parsed(*text);
    if (!found.enabled) refuse(cat("its interpreter ", quoted(name), " is disabled"));
    // Without flag F the kernel looks for the interpreter in the container's own root.
    if (found.flags.find('F') == std::string_view::npos)
      refuse(cat("its interpreter ", quoted(found.interpreter),
                 " is registered without flag F: install the package qemu-user-static"));
    return;
  }
  refuse(cat("no interpreter for ", platform.architecture, " is registered in ", binfmt_dir,
             ": install the package qemu-user-static"));
}

}  // namespace lade::build
