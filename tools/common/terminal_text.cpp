#include "tools/common/terminal_text.h"

namespace lade::tools {
namespace {

constexpr std::size_t kMaxSgrBytes = 64;  // "38;2;255;255;255" is a long one

bool is_control(char c) { return (c >= 0 && c < 0x20) || c == 0x7F; }
bool is_final(char c) { return c >= 0x40 && c <= 0x7E; }

bool is_sgr(std::string_view sequence) {
  return sequence.size() <= kMaxSgrBytes &&
         sequence.find_first_not_of("0123456789;:") == std::string_view::npos;
}

}  // namespace

void TerminalText::take(char c, std::string& out) {
  // A line end ends whatever came before it, or one open sequence would swallow all that follows.
  if (c == '\n' || c == '\r') {
    state_ = State::text;
    out += c;
    return;
  }
  switch (state_) {
    case State::after_c2:  // U+0080 to U+009F are controls too
      state_ = State::text;
      if (static_cast<unsigned char>(c) >= 0x80 && static_cast<unsigned char>(c) < 0xA0) return;
      out += '\xC2';
      [[fallthrough]];
    case State::text:
      if (c == '\x1b') {
        state_ = State::escape;
      } else if (c == '\xC2') {
        state_ = State::after_c2;
      } else if (!is_control(c) || c == '\t') {
        out += c;
      }
      return;
    case State::escape:
    case State::intermediate:
      if (c == '\x1b') {
        state_ = State::escape;
      } else if (c == '[' && state_ == State::escape) {
        state_ = State::csi;
        csi_.clear();
      } else if (std::string_view("]PX^_").find(c) != std::string_view::npos &&
                 state_ == State::escape) {
        state_ = State::string;
      } else {
        state_ = c >= 0x20 && c < 0x30 ? State::intermediate : State::text;
      }
      return;
    case State::csi:
      if (c == '\x1b') {
        state_ = State::escape;
      } else if (is_final(c)) {
        state_ = State::text;
        if (c == 'm' && is_sgr(csi_)) out.append("\x1b[").append(csi_).push_back('m');
      } else if (csi_.size() <= kMaxSgrBytes) {
        csi_ += c;
      }
      return;
    case State::string:
      if (c == '\x07') {
        state_ = State::text;
      } else if (c == '\x1b') {
        state_ = State::string_escape;
      }
      return;
    case State::string_escape:
      state_ = c == '\\' ? State::text : State::string;
      return;
  }
}

std::string TerminalText::filtered(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) take(c, out);
  return out;
}

}  // namespace lade::tools
