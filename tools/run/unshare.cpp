// lade unshare [COMMAND]: a command in the user namespace in which builds of a user run.
#include <array>
#include <cerrno>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/program.h"

#include "tools/common/process.h"
#include "tools/common/rootless.h"
#include "tools/common/terminal.h"
#include "tools/run/verbs.h"

namespace lade::tools {
namespace {

constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

constexpr std::array<std::string_view, 4> kExamples = {
    "Look at the files of the local store with the owners that containers see",
    "lade unshare ls -ln ~/.local/share/lade/snapshots", "Remove a directory that a build wrote",
    "lade unshare rm -r out"};

/// As a shell looks it up; a name that is nowhere stays as it is.
std::string program_of(const std::string& name, const Environment& environment) {
  if (name.find('/') != std::string::npos) return name;
  try {
    return find_program(name, environment.variable("PATH"));
  } catch (const Error&) {
    return name;
  }
}

int run_unshare(const Arguments& arguments, const Environment& environment) {
  std::vector<std::string> words = arguments.positional();
  if (words.empty()) {
    const std::string shell = environment.variable("SHELL");
    words.push_back(shell.empty() ? "/bin/sh" : shell);
  }
  auto variables = environment.variables;
  if (sandbox::in_user_namespace()) {
    for (const auto& [name, value] : user_namespace_variables(environment)) variables[name] = value;
  }
  std::vector<std::string> texts;
  for (const auto& [name, value] : variables) texts.push_back(cat(name, "=", value));
  const std::string name = words.front();
  const int error = execute(program_of(name, environment), std::move(words), std::move(texts));
  print_error(cat("lade: unshare: execute ", quoted(name), ": ", errno_text(error), "\n"));
  return error == ENOENT ? kNotFound : kNotExecutable;
}

}  // namespace

const VerbSpec kUnshareVerb = {
    .name = "unshare",
    .synopsis = "[COMMAND [ARGUMENT...]]",
    .summary = "run a command in the user namespace of a user's builds",
    .description =
        "For a user without privileges: runs COMMAND, or a shell, as root of a user namespace with "
        "the user's subordinate ids and of a mount namespace, which is where 'lade build' and "
        "'lade "
        "run' work. There the files that containers wrote have the owners that containers see, and "
        "can be read, changed and removed. Who has the rights anyway gets the command as it is.\n\n"
        "The exit status is the command's, 127 where there is none of that name, 126 where it "
        "cannot be executed, and 125 where there can be no user namespace.",
    .examples = kExamples,
    .max_positional = 65536,
    .run = run_unshare,
    .command_after = 1,
    .failure_status = 125,
    .in_user_namespace = true,
    .group = "Run",
};

}  // namespace lade::tools
