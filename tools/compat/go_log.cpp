#include "tools/compat/go_log.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>

#include "libimage/base/text.h"
#include "libimage/template/go_text.h"

#include "tools/common/terminal.h"

namespace lade::tools::compat {
namespace {

// The level of a process's log, as logrus has it.
std::atomic<bool> debug_shown = false;

/// Now, in the local time zone, as Go formats it.
std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  if (::localtime_r(&now, &local) == nullptr) return {};
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &local);
  std::string out(text.data(), length);
  if (local.tm_gmtoff == 0) return out + "Z";
  const std::size_t zone = std::strftime(text.data(), text.size(), "%z", &local);
  const std::string offset(text.data(), zone);
  return cat(out, offset.substr(0, 3), ":", offset.substr(3));
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
    case Level::fatal:
      return "fatal";
  }
  return {};
}

/// Quoted where it holds more than letters, digits and a few signs.
std::string value_text(std::string_view text) {
  constexpr std::string_view kPlain = "-._/@^+";
  const bool plain = std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(c) != std::string_view::npos;
  });
  return plain ? std::string(text) : templates::go_quote(text);
}

/// Four capital letters in the colour of the level.
std::string coloured(Level level) {
  switch (level) {
    case Level::debug:
      return "\x1b[37mDEBU\x1b[0m";
    case Level::info:
      return "\x1b[36mINFO\x1b[0m";
    case Level::warning:
      return "\x1b[33mWARN\x1b[0m";
    case Level::error:
      return "\x1b[31mERRO\x1b[0m";
    case Level::fatal:
      return "\x1b[31mFATA\x1b[0m";
  }
  return {};
}

/// For terminals: line ends stay, nothing else moves the cursor.
std::string harmless(std::string_view text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    if (!out.empty()) out += '\n';
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= ' ' && byte != 0x7F) {
        out += c;
      } else {
        out += c == '\t' ? std::string("\t") : printable(std::string_view(&c, 1));
      }
    }
  }
  return out;
}

}  // namespace

std::string log_line(std::string_view time, Level level, std::string_view message,
                     LogFields fields) {
  std::sort(fields.begin(), fields.end());
  std::string line = cat("time=\"", time, "\" level=", name_of(level), " msg=");
  line += message.empty() ? std::string() : value_text(message);
  for (const auto& [name, value] : fields) line += cat(" ", name, "=", value_text(value));
  return line + "\n";
}

void show_debug_lines() noexcept { debug_shown = true; }
bool debug_lines_shown() noexcept { return debug_shown; }

void log(Level level, std::string_view message, const LogFields& fields) noexcept {
  if (level == Level::debug && !debug_shown) return;
  try {
    if (!is_terminal(Stream::error)) {
      print_error(log_line(local_time(), level, message, fields));
      return;
    }
    std::string line = cat(coloured(level), "[0000] ", harmless(message));
    for (const auto& [name, value] : fields) line += cat(" ", name, "=", value_text(value));
    print_error(line + "\n");
  } catch (const std::exception&) {  // no memory for a message
    return;
  }
}

}  // namespace lade::tools::compat
