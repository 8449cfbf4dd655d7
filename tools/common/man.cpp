#include "libimage/base/text.h"

#include "tools/common/options.h"

namespace lade::tools {
namespace {

/// `text` safe for roff: backslashes and leading control characters escaped, hyphens kept as minus
/// signs.
std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::string dashed(std::string_view name) {
  std::string out = cat("lade-", name);
  for (char& c : out) {
    if (c == ' ') c = '-';
  }
  return out;
}

std::string option_entry(const OptionSpec& option) {
  std::string out = ".TP\n";
  if (option.letter != 0) out += cat("\\fB\\-", option.letter, "\\fR, ");
  out += cat("\\fB\\-\\-", roff(option.name), "\\fR");
  if (option.optional_value) {
    out += option.value.empty() ? "[=\\fItrue\\fR|\\fIfalse\\fR]"
                                : cat("[=\\fI", roff(option.value), "\\fR]");
  } else if (!option.value.empty()) {
    out += cat(" \\fI", roff(option.value), "\\fR");
  }
  out += cat("\n", roff(option.help));
  if (!option.choices.empty()) {
    std::string known;
    for (const std::string_view choice : option.choices)
      known += cat(known.empty() ? "" : ", ", choice);
    out += cat(" (", roff(known), ")");
  }
  if (option.repeats) out += " (may be repeated)";
  return out + ".\n";
}

constexpr std::string_view kExitStatus =
    ".SH EXIT STATUS\n"
    ".TP\n0\nSuccess.\n.TP\n1\nThe operation failed; the reason is on standard error.\n"
    ".TP\n2\nThe command line is wrong.\n.TP\n130\nInterrupted; nothing half-written is left.\n";

std::string overview() {
  std::string out =
      ".TH LADE 1 \"\" \"lade\" \"User Commands\"\n.SH NAME\nlade \\- build, copy and inspect "
      "container images\n"
      ".SH SYNOPSIS\n\\fBlade\\fR [\\fB\\-\\-store\\fR \\fIDIR\\fR] \\fIVERB\\fR [\\fIOPTIONS\\fR] "
      "[\\fIARGUMENTS\\fR]\n"
      ".SH DESCRIPTION\nOne program, no daemon. Standard output carries only data; progress and "
      "errors go to standard error.\n"
      ".SH VERBS\n";
  for (const VerbSpec* verb : verbs()) {
    if (verb->group.empty()) continue;
    out += cat(".TP\n\\fB", roff(verb->name), "\\fR\n", roff(verb->summary), "; see \\fB",
               roff(dashed(verb->name)), "\\fR(1).\n");
  }
  out += ".SH OPTIONS\n";
  for (const OptionSpec& option : global_options()) out += option_entry(option);
  out += kExitStatus;
  out +=
      ".SH ENVIRONMENT\n.TP\n\\fBLADE_STORE\\fR\nDirectory of the local store.\n"
      ".TP\n\\fBSOURCE_DATE_EPOCH\\fR\nSeconds since 1970; makes builds reproducible.\n"
      ".TP\n\\fBREGISTRY_AUTH_FILE\\fR\nFile with registry credentials.\n"
      ".TP\n\\fBNO_COLOR\\fR\nNo colours on a terminal.\n"
      ".SH FILES\n.TP\n\\fI/var/lib/lade\\fR, \\fI$XDG_DATA_HOME/lade\\fR\nThe local store of root "
      "and of other users.\n";
  return out;
}

}  // namespace

std::string man_page(const VerbSpec* verb) {
  if (verb == nullptr) return overview();
  const std::string title = dashed(verb->name);
  std::string out =
      cat(".TH ", upper(roff(title)), " 1 \"\" \"lade\" \"User Commands\"\n.SH NAME\n", roff(title),
          " \\- ", roff(verb->summary), "\n.SH SYNOPSIS\n\\fBlade ", roff(verb->name),
          "\\fR [\\fIOPTIONS\\fR]");
  if (!verb->synopsis.empty()) out += cat(" \\fI", roff(verb->synopsis), "\\fR");
  out += "\n.SH DESCRIPTION\n";
  std::string_view text = verb->description;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\n\n"), text.size());
    out += cat(roff(text.substr(0, end)), "\n");
    text.remove_prefix(std::min(end + 2, text.size()));
    if (!text.empty()) out += ".PP\n";
  }
  out += ".SH OPTIONS\n";
  for (const auto group : verb->options) {
    for (const OptionSpec& option : group) out += option_entry(option);
  }
  out += option_entry({.name = "help", .letter = 'h', .help = "print a short help"});
  if (!verb->examples.empty()) out += ".SH EXAMPLES\n";
  for (std::size_t i = 0; i + 1 < verb->examples.size(); i += 2) {
    out += cat(".PP\n", roff(verb->examples[i]), ":\n.PP\n.RS 4\n.nf\n",
               roff(verb->examples[i + 1]), "\n.fi\n.RE\n");
  }
  out += kExitStatus;
  out += ".SH SEE ALSO\n\\fBlade\\fR(1)\n";
  return out;
}

}  // namespace lade::tools
