#include "libimage/build/file_mode.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

constexpr std::uint32_t kUser = 04700;  // what "u" stands for
constexpr std::uint32_t kGroup = 02070;
constexpr std::uint32_t kOther = 01007;
constexpr std::size_t kMaxText = 256;

[[noreturn]] void refuse(std::string_view text) {
  throw Error(Errc::invalid_content, cat("mode ", quoted(text.substr(0, kMaxText)),
                                         " is neither octal (0755) nor symbolic (u+x,go=rX)"));
}

bool is_operation(char c) { return c == '+' || c == '-' || c == '='; }

}  // namespace

FileMode FileMode::parse(std::string_view text) {
  if (text.size() > kMaxText) refuse(text);
  FileMode out;
  if (!text.empty() && text.find_first_not_of("01234567") == std::string_view::npos) {
    for (const char c : text) {
      out.octal_ = out.octal_ * 8 + static_cast<std::uint32_t>(c - '0');
      if (out.octal_ > 07777) refuse(text);
    }
    return out;
  }
  for (const std::string_view clause : split(text, ',')) out.add_clause(clause, text);
  return out;
}

void FileMode::add_clause(std::string_view clause, std::string_view whole) {
  std::uint32_t who = 0;
  std::size_t at = 0;
  for (; at < clause.size() && !is_operation(clause[at]); ++at) {
    switch (clause[at]) {
      case 'u':
        who |= kUser;
        break;
      case 'g':
        who |= kGroup;
        break;
      case 'o':
        who |= kOther;
        break;
      case 'a':
        who |= kUser | kGroup | kOther;
        break;
      default:
        refuse(whole);
    }
  }
  if (at == clause.size()) refuse(whole);
  if (who == 0) who = kUser | kGroup | kOther;
  while (at < clause.size()) {
    Change change{.operation = clause[at++], .who = who};
    for (; at < clause.size() && !is_operation(clause[at]); ++at) {
      const char c = clause[at];
      if (change.copied != 0) refuse(whole);  // a class is copied alone
      switch (c) {
        case 'r':
          change.bits |= 0444;
          break;
        case 'w':
          change.bits |= 0222;
          break;
        case 'x':
          change.bits |= 0111;
          break;
        case 'X':
          change.execute_if_any = true;
          break;
        case 's':
          change.bits |= 06000;
          break;
        case 't':
          change.bits |= 01000;
          break;
        case 'u':
        case 'g':
        case 'o':
          if (change.bits != 0 || change.execute_if_any) refuse(whole);
          change.copied = c;
          break;
        default:
          refuse(whole);
      }
    }
    changes_.push_back(change);
  }
}

std::uint32_t FileMode::apply(std::uint32_t mode, FileType type) const {
  if (is_octal()) return octal_;
  const bool any_execute = type == FileType::directory || (mode & 0111U) != 0;
  for (const Change& change : changes_) {
    std::uint32_t bits = change.bits;
    if (change.execute_if_any && any_execute) bits |= 0111;
    if (change.copied != 0) {
      const unsigned shift = change.copied == 'u' ? 6 : change.copied == 'g' ? 3 : 0;
      bits = (mode >> shift & 7U) * 0111;
    }
    bits &= change.who;
    if (change.operation == '+') {
      mode |= bits;
    } else if (change.operation == '-') {
      mode &= ~bits;
    } else {
      mode = (mode & ~change.who) | bits;
    }
  }
  return mode & 07777U;
}

}  // namespace lade::build
