#pragma once
#include <string>
#include <string_view>

namespace lade::tools {

/// Makes a step's output harmless to the terminal that shows it. Text, tabs, line ends and colours
/// (SGR) pass; every other control sequence is taken out: those that move the cursor, set the
/// title, write the clipboard or make the terminal answer. Sequences may be split over calls.
class TerminalText {
 public:
  std::string filtered(std::string_view text);

 private:
  void take(char c, std::string& out);

  enum class State { text, after_c2, escape, intermediate, csi, string, string_escape };
  State state_ = State::text;
  std::string csi_;  // what came of the sequence so far
};

}  // namespace lade::tools
