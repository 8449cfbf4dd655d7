// lade: builds, copies and inspects container images. Reads the verb, runs it, turns errors into
// exit statuses.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/local/local_store.h"
#include "libimage/sandbox/step_runner.h"

#include "tools/common/options.h"
#include "tools/common/process.h"
#include "tools/common/rootless.h"
#include "tools/common/terminal.h"
#include "tools/compat/skopeo.h"
#include "tools/runtime/verbs.h"

namespace lade::tools {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;
constexpr int kInterrupted = 130;

/// Splits off what comes before the verb. Returns false if that already answers the call (--help,
/// --version).
bool read_globals(std::vector<std::string>& words, Environment& environment) {
  while (!words.empty() && words.front().starts_with("-")) {
    const std::string word = words.front();
    words.erase(words.begin());
    if (word == "--version") {
      print(cat("lade version ", LADE_VERSION, "\n"));
      return false;
    }
    if (word == "--help" || word == "-h") {
      print(general_help());
      return false;
    }
    if (word == "--store" && !words.empty()) {
      environment.store = words.front();
      words.erase(words.begin());
    } else if (word.starts_with("--store=")) {
      environment.store = word.substr(std::string_view("--store=").size());
    } else if (word == "--store") {
      throw UsageError("option --store needs a directory");
    } else {
      throw UsageError(cat("unknown option ", quoted(word), " before the verb"));
    }
    if (environment.store.empty()) throw UsageError("option --store needs a directory");
  }
  return true;
}

/// The verb at the front of `words`, which it removes; nullptr for none.
const VerbSpec* take_verb(std::vector<std::string>& words) {
  for (std::size_t count = std::min<std::size_t>(2, words.size()); count > 0; --count) {
    const std::string name = count == 2 ? cat(words[0], " ", words[1]) : words[0];
    for (const VerbSpec* verb : verbs()) {
      if (verb->name != name) continue;
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
      return verb;
    }
  }
  return nullptr;
}

[[noreturn]] void refuse_verb(const std::vector<std::string>& words) {
  std::vector<std::string> known;
  std::string of_group;
  for (const VerbSpec* verb : verbs()) {
    if (verb->group.empty()) continue;
    known.emplace_back(verb->name);
    if (verb->name.starts_with(cat(words.front(), " "))) {
      of_group += cat(of_group.empty() ? "" : ", ", quoted(verb->name));
    }
  }
  if (!of_group.empty())
    throw UsageError(cat(quoted(words.front()), " needs one more word: ", of_group));
  std::string message = cat("unknown verb ", quoted(words.front()));
  if (const auto close = nearest(words.front(), known))
    message += cat("; did you mean ", quoted(*close), "?");
  throw UsageError(message);
}

int status_of(const Error& error) {
  const auto* exit = std::get_if<ExitDetail>(&error.detail());
  return exit != nullptr && exit->status > 0 && exit->status < 256 ? exit->status : kFailed;
}

int run(std::vector<std::string> words) {
  std::string verb_name;
  int failure_status = 0;  // the verb's own, if it has one
  try {
    Environment environment = process_environment();
    if (!read_globals(words, environment)) return 0;
    if (words.empty()) {
      print_error(general_help());
      return kWrongUse;
    }
    if (environment.store.empty()) environment.store = environment.variable("LADE_STORE");
    if (environment.store.empty()) {
      environment.store = default_store_path(process_uid(), environment.variable("XDG_DATA_HOME"),
                                             environment.variable("HOME"));
    }
    const VerbSpec* verb = take_verb(words);
    if (verb == nullptr) refuse_verb(words);
    verb_name = verb->name;
    failure_status = verb->failure_status;
    const Arguments arguments = parse_arguments(*verb, words);
    if (arguments.flag("help")) {
      print(verb_help(*verb));
      return 0;
    }
    if (verb->in_user_namespace) {
      const auto made = enter_user_namespace_if_needed(environment);
      if (made && made->ids == 1 && !arguments.flag("quiet")) print_error(one_id_warning(*made));
    }
    return verb->run(arguments, environment);
  } catch (const UsageError& e) {
    print_error(cat("lade: ", verb_name.empty() ? "" : cat(verb_name, ": "), e.what(),
                    "\nTry 'lade ", verb_name, verb_name.empty() ? "" : " ",
                    "--help' for more information.\n"));
    return failure_status != 0 ? failure_status : kWrongUse;
  } catch (const Cancelled&) {
    print_error(cat("lade: ", verb_name, ": interrupted\n"));
    return kInterrupted;
  } catch (const Error& e) {
    print_error(cat("lade: ", e.what(), "\n"));
    return failure_status != 0 ? failure_status : status_of(e);
  } catch (const std::exception& e) {  // the last resort: memory exhausted, or a defect of ours
    print_error(cat("lade: ", verb_name, ": internal error: ", e.what(), "\n"));
    return failure_status != 0 ? failure_status : kFailed;
  }
}

/// The words of an OCI runtime's command line.
int run_as_runtime(const std::vector<std::string>& words) {
  try {
    return run(runtime_words(words));
  } catch (const UsageError& e) {
    print_error(cat("lade: ", e.what(), "\n"));
    return kWrongUse;
  }
}

}  // namespace
}  // namespace lade::tools

int main(int argc, char** argv) {
  lade::sandbox::run_step_if_asked(argc, argv);
  lade::tools::reserve_standard_streams();
  lade::tools::return_large_buffers();
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const std::string_view called = argc > 0 ? argv[0] : "";
  if (called.substr(called.rfind('/') + 1) == "skopeo")
    return lade::tools::compat::run_skopeo(words, lade::tools::process_environment());
  if (called.ends_with("-runtime")) return lade::tools::run_as_runtime(words);
  return lade::tools::run(words);
}
