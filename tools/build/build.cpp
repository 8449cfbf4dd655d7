// lade build CONTEXT
#include "libimage/build/build.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/name/platform.h"
#include "libimage/name/reference.h"

#include "tools/build/build_cache.h"
#include "tools/build/call.h"
#include "tools/build/debug_shell.h"
#include "tools/build/language_options.h"
#include "tools/build/remote_files.h"
#include "tools/build/result_words.h"
#include "tools/build/run_options.h"
#include "tools/build/verbs.h"
#include "tools/build/write_outputs.h"
#include "tools/common/base_images.h"
#include "tools/common/compression.h"
#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/log_file.h"
#include "tools/common/network_option.h"
#include "tools/common/process.h"
#include "tools/common/progress.h"
#include "tools/common/signals.h"
#include "tools/common/step_runner.h"
#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

constexpr std::uint64_t kMaxContainerfileBytes = std::uint64_t{16} * 1024 * 1024;

// What is there by digest is not fetched again: "newer" is "always".
constexpr std::array<std::string_view, 5> kPulls = {"true", "false", "always", "missing", "newer"};

constexpr std::array<OptionSpec, 22> kBuildOptions = {{
    {.name = "file",
     .letter = 'f',
     .value = "FILE",
     .help = "the Containerfile, a URL, or - for standard input; else Containerfile or Dockerfile "
             "in CONTEXT; several are read as one, called *.in through cpp",
     .repeats = true},
    {.name = "tag",
     .letter = 't',
     .value = "NAME",
     .help = "name of the image: in the local store, or where --push, --load and -o send it",
     .repeats = true},
    {.name = "target",
     .value = "STAGE",
     .help = "build this stage, named or numbered from 0, instead of the last"},
    {.name = "build-arg",
     .value = "NAME[=VALUE]",
     .help = "value of an ARG; without a value, that of the environment",
     .repeats = true},
    {.name = "label", .value = "KEY=VALUE", .help = "a label of the image", .repeats = true},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT],...",
     .help = "the platforms to build for, if not this machine's; several make an index",
     .repeats = true},
    {.name = "secret",
     .value = "id=ID[,src=FILE|,env=NAME]",
     .help = "a secret for RUN --mount=type=secret; without src or env, the variable or file ID",
     .repeats = true},
    {.name = "ssh",
     .value = "ID[=SOCKET|=KEY,...]",
     .help = "an ssh agent for RUN --mount=type=ssh; 'default' is $SSH_AUTH_SOCK; with files of "
             "keys, an agent of the system's ssh-agent that holds them",
     .repeats = true},
    {.name = "pull",
     .value = "true|false|always|missing|newer",
     .help = "ask registries for base images also where the local store has an image of that name",
     .optional_value = true,
     .choices = kPulls},
    {.name = "no-cache", .help = "run every step again"},
    {.name = "explain",
     .help = "say of each step why it was cached, or what changed since it was built last"},
    {.name = "debug-shell",
     .value = "before|after",
     .help = "open a shell where the first step fails, in the state before it or after it",
     .optional_value = true},
    {.name = "network", .value = "MODE", .help = kNetworkHelp},
    {.name = "format",
     .value = "FORMAT",
     .help = "format of the image's manifest",
     .choices = kImageFormats},
    {.name = "compression-format",
     .value = "FORMAT",
     .help = "codec of the layers that are made",
     .choices = kCompressFormats},
    {.name = "compression-level",
     .value = "LEVEL",
     .help = "1 to 9 for gzip, 1 to 22 for zstd, or 'fastest'"},
    {.name = "check", .help = "check the Containerfile for common mistakes instead of building it"},
    {.name = "call",
     .value = "METHOD[,format=json]",
     .help = "instead of building: check, outline (arguments, secrets and agents of the target) or "
             "targets (the stages)"},
    {.name = "logfile",
     .value = "FILE",
     .help = "write what goes to standard error, all but a final error, to this file instead"},
    {.name = "logsplit",
     .help = "refused: platforms share steps, so their logs cannot be told apart",
     .optional_value = true},
    {.name = "ignorefile",
     .value = "FILE",
     .help = "patterns of what in CONTEXT to ignore, instead of .containerignore or .dockerignore"},
    {.name = "jobs",
     .letter = 'j',
     .value = "N",
     .help = "steps executed at once (default: one for each CPU)"},
}};
constexpr std::array<std::span<const OptionSpec>, 8> kGroups = {
    kBuildOptions,    kResultOptions,  kBuildCacheOptions, kRunnerOptions,
    kLanguageOptions, kRunStepOptions, kRegistryOptions,   kProgressOptions};

constexpr std::array<std::string_view, 14> kExamples = {
    "Build this directory into the local store",
    "lade build -t app .",
    "Build and push",
    "lade build -t registry.example/app:1.0 --push .",
    "Build the files of one stage into a directory",
    "lade build --target artifacts -o out .",
    "Attach a provenance and the list of packages",
    "lade build -t registry.example/app:1.0 --provenance --sbom --push .",
    "Build one stage with an argument, into a layout",
    "lade build --target test --build-arg VERSION=1.2 -o oci:out:test .",
    "Check the Containerfile, for a program to read",
    "lade build --call check,format=json .",
    "The same bytes on every machine",
    "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) lade build -t app .",
};

std::map<std::string, std::string> pairs(const Arguments& arguments, std::string_view option) {
  std::map<std::string, std::string> found;
  for (const std::string& word : arguments.values(option)) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError(cat("option --", option, " takes KEY=VALUE, not ", quoted(word)));
    found[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return found;
}

std::map<std::string, std::string> build_args(const Arguments& arguments,
                                              const Environment& environment) {
  std::map<std::string, std::string> found;
  for (const std::string& word : arguments.values("build-arg")) {
    const std::size_t equals = word.find('=');
    if (word.empty() || equals == 0)
      throw UsageError(cat("option --build-arg takes NAME[=VALUE], not ", quoted(word)));
    if (equals != std::string::npos) {
      found[word.substr(0, equals)] = word.substr(equals + 1);
    } else if (const auto set = environment.variables.find(word);
               set != environment.variables.end()) {
      found[word] = set->second;
    }
  }
  return found;
}

/// "id=x,src=file", "id=x,env=NAME", "id=x,type=file|env,src=..." (docker build --secret).
std::map<std::string, build::SecretSource> secrets(const Arguments& arguments,
                                                   const Environment& environment) {
  std::map<std::string, build::SecretSource> found;
  for (const std::string& word : arguments.values("secret")) {
    std::map<std::string, std::string> fields;
    for (const std::string_view field : split(word, ',')) {
      const std::size_t equals = field.find('=');
      std::string key(field.substr(0, equals));
      if (key == "source") key = "src";
      const bool known = key == "id" || key == "src" || key == "env" || key == "type";
      if (!known || equals == std::string_view::npos)
        throw UsageError(
            cat("option --secret takes id=ID,src=FILE or id=ID,env=NAME, not ", quoted(word)));
      fields[key] = std::string(field.substr(equals + 1));
    }
    const std::string id = fields["id"];
    if (id.empty()) throw UsageError(cat("option --secret ", quoted(word), " has no id"));
    const std::string type = fields["type"];
    if (!type.empty() && type != "file" && type != "env")
      throw UsageError(cat("option --secret: type is file or env, not ", quoted(type)));
    std::string name = fields["env"];
    if (type == "env" && name.empty()) name = fields["src"].empty() ? id : fields["src"];
    const bool plain = fields["src"].empty() && name.empty() && type.empty();
    if (plain && environment.variables.contains(id)) name = id;
    build::SecretSource source;
    if (name.empty()) {
      source.file = fields["src"].empty() ? id : fields["src"];
    } else if (const auto set = environment.variables.find(name);
               set != environment.variables.end()) {
      source.value = set->second;
    } else {
      throw UsageError(cat("option --secret: ", quoted(name), " is not set in the environment"));
    }
    found[id] = std::move(source);
  }
  return found;
}

std::map<std::string, std::string> agents(const Arguments& arguments,
                                          const Environment& environment) {
  std::map<std::string, std::string> found;
  for (const std::string& word : arguments.values("ssh")) {
    const std::size_t equals = word.find('=');
    const std::string id = word.substr(0, equals);
    std::string socket = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (socket.empty()) socket = environment.variable("SSH_AUTH_SOCK");
    if (id.empty() || socket.empty())
      throw UsageError(
          cat("option --ssh ", quoted(word), ": give it as ID=SOCKET, or set SSH_AUTH_SOCK"));
    found[id] = std::move(socket);
  }
  return found;
}

/// SOURCE_DATE_EPOCH of the build arguments, else of the environment.
std::optional<Timestamp> source_date_epoch(const std::map<std::string, std::string>& args,
                                           const Environment& environment) {
  const auto given = args.find("SOURCE_DATE_EPOCH");
  const std::string text =
      given != args.end() ? given->second : environment.variable("SOURCE_DATE_EPOCH");
  if (text.empty()) return std::nullopt;
  const std::optional<std::uint64_t> seconds = parse_decimal(text);
  constexpr std::uint64_t kYear9999 = 253'402'300'799;
  if (!seconds || *seconds > kYear9999) {
    throw UsageError(cat("SOURCE_DATE_EPOCH must be seconds since 1970, not ", quoted(text)));
  }
  return Timestamp{static_cast<std::int64_t>(*seconds), 0};
}

build::BuildOptions build_options(const Arguments& arguments, const Environment& environment) {
  build::BuildOptions options;
  options.context = arguments.positional().empty() ? "." : arguments.positional().front();
  options.standard_input = [] { return std::make_unique<FdSource>(UniqueFd(0), "standard input"); };
  const std::vector<std::string>& files = arguments.values("file");
  if (files.size() == 1 && files.front() == "-") {
    if (options.context == "-")
      throw UsageError("the Containerfile and the context cannot both be standard input");
    options.containerfile_text = read_all(*options.standard_input(), kMaxContainerfileBytes,
                                          "Containerfile on standard input");
  } else if (!files.empty()) {
    options.containerfile = files.front();
    options.containerfiles_behind.assign(files.begin() + 1, files.end());
  }
  options.ignore_file = arguments.value_or("ignorefile", "");
  options.target = arguments.value_or("target", "");
  options.build_args = build_args(arguments, environment);
  options.labels = pairs(arguments, "label");
  options.secrets = secrets(arguments, environment);
  options.agents = agents(arguments, environment);
  for (const std::string& words : arguments.values("platform")) {
    for (const std::string_view word : split(words, ','))
      options.platforms.push_back(parse_platform(word));
  }
  read_language_options(arguments, environment, options);
  options.run = read_run_options(arguments);
  options.no_cache = arguments.flag("no-cache");
  if (arguments.flag("explain")) {
    options.explain = arguments.value_or("progress", "auto") == "json" ? build::Explain::json
                                                                       : build::Explain::text;
  }
  options.source_date_epoch = source_date_epoch(options.build_args, environment);
  options.network = read_network(arguments.value_or("network", "default"), environment);
  if (arguments.value_or("format", "oci") == "docker") options.family = oci::Family::docker;
  const Compression compression =
      read_compression(arguments, "compression-format", "compression-level");
  if (!compression.codec.empty()) options.layer_codec = compression.codec;
  options.compress = compression.options;
  options.cache_not_before = oldest_result(arguments, options.clock());
  if (const auto jobs = arguments.number("jobs", 1, 64))
    options.jobs = static_cast<unsigned>(*jobs);
  return options;
}

int run_build(const Arguments& arguments, const Environment& environment) {
  allow_many_files();
  const Call call = read_call(arguments);
  build::BuildOptions options = build_options(arguments, environment);
  const std::vector<OutputSpec> outputs = read_outputs(arguments);
  read_result_options(arguments, outputs, options);
  check_outputs(outputs, options);
  BuildCacheOptions cache_options = build_cache_options(arguments, options);
  const bool in_config =
      std::any_of(cache_options.to.begin(), cache_options.to.end(),
                  [](const auto& to) { return to.type == buildcache::CacheType::inline_config; });
  if (in_config && arguments.flag("verify-reproducible"))
    throw UsageError(
        "--verify-reproducible cannot compare images that carry a cache (type=inline)");
  const StopOnSignal stop;
  const std::string pull = arguments.value_or("pull", "missing");
  const bool pulls = pull != "missing" && pull != "false";
  const auto shell = debug_shell_state(arguments);
  const LogFile log(arguments);
  // Nothing may draw over a shell.
  const std::unique_ptr<ProgressObserver> progress =
      shell ? make_progress_without_bars(arguments) : make_progress(arguments, environment);
  const auto session =
      make_session(arguments, environment, Side::only, stop.token(), progress.get());
  int status = 0;
  with_context(
      [] { return std::string("build"); },
      [&] {
        Stores stores(environment);
        LocalStore& store = stores.local();
        BaseImages bases(*session, stores, environment);
        BuildCaches caches(std::move(cache_options), options, environment, *session, store,
                           *progress);
        const auto runner = make_step_runner(arguments, environment);
        std::unique_ptr<sandbox::StepRunner> debugging;
        if (shell) debugging = debug_shell_runner(*shell, environment, *runner, store);
        const build::BuildServices services{.store = store,
                                            .runner = debugging ? *debugging : *runner,
                                            .resolve =
                                                [&](const std::string& name, const oci::Platform&) {
                                                  return pulls ? bases.resolve_remote(name)
                                                               : bases.resolve(name);
                                                },
                                            .observer = *progress,
                                            .fetch = make_fetch(stop.token()),
                                            .cache = caches.step_cache()};
        if (call.method != Call::Method::build) {
          status = run_call(call, options, services);
          return;
        }
        const build::BuildResult result = build::build(options, services, stop.token());
        if (arguments.flag("verify-reproducible"))
          verify_reproducible(options, services, result, stop.token());
        write_outputs(outputs, {.options = options,
                                .result = result,
                                .session = *session,
                                .stores = stores,
                                .progress = *progress,
                                .stop = stop.token()});
        caches.write(stop.token());
        write_result_files(arguments, result);
        const oci::Descriptor& root = result.root().descriptor;
        progress->notify({.kind = ProgressEvent::Kind::summary,
                          .note = cat("built ", root.digest.str(), ", ", result.steps, " steps, ",
                                      result.cached_steps, " from the cache")});
        const bool streamed = std::any_of(outputs.begin(), outputs.end(), [](const auto& output) {
          return output.dest == "-" || output.dest.ends_with(":-");
        });
        if (!streamed) print(cat(root.digest.str(), "\n"));
      });
  return status;
}

}  // namespace

const VerbSpec kBuildVerb = {
    .name = "build",
    .synopsis = "[CONTEXT]",
    .summary = "build an image from a Containerfile",
    .description =
        "Builds an image from a Containerfile (or Dockerfile) and the files of CONTEXT, "
        "keeps it in "
        "the local store under the names given by -t, and writes it to each -o TRANSPORT:REST as "
        "well. Docker's forms of -o, --push and --load say instead where the result goes, and the "
        "local store then gets no name, unless -o type=image asks for it. Prints the "
        "digest of the image's manifest, or of the index.\n\n"
        "The types of -o are local and tar (the files; DIR and - are short for them), oci, docker, "
        "dir, image, registry and cacheonly, with the keys dest, name, push, push-by-digest, "
        "compression, compression-level, force-compression, oci-mediatypes, platform-split, tar, "
        "annotation[-LEVEL][[PLATFORM]].KEY, rewrite-timestamp, attestation-prefix and "
        "oci-artifact. docs/build.md has them in full.\n\n"
        "CONTEXT is a directory (default: this one), a tar (plain, gzip, bzip2, xz, zstd), a git "
        "repository (https://HOST/NAME.git#REF:SUBDIR, git@HOST:NAME, git://, ssh://), the http "
        "URL "
        "of a tar, or - for a tar or a Containerfile on standard input. Where BuildKit and Buildah "
        "understand a Containerfile differently this program does as BuildKit does; the "
        "differences "
        "are listed in docs/build.md.\n\n"
        "Stages that the target does not need are not built; the others run in parallel. Each RUN, "
        "COPY and ADD makes a layer. Steps "
        "are cached by what they depend on: files by content, not by date. With SOURCE_DATE_EPOCH "
        "in the environment no time later "
        "than that is recorded anywhere, and the same inputs give the same digest.\n\n"
        "RUN executes as root of a sandbox with its own mount, pid, ipc, uts and cgroup "
        "namespaces, the default capabilities and "
        "seccomp filter of containers, and the network of the host unless --network none. The exit "
        "status of a step that fails is the "
        "exit status of the build.\n\n"
        "Results of steps are also found in, and added to, caches of other machines: --cache-from "
        "and --cache-to, in BuildKit's formats. Layers found there are fetched only where a later "
        "step or the image needs them; a cache that cannot be read is a warning, one that cannot "
        "be written an error. What is there already is kept.\n\n"
        "FROM and COPY --from take an earlier stage, 'scratch', an image of the local store, a "
        "registry's image, or any transport's "
        "name such as oci:DIR:TAG. What is not implemented is refused by name.\n\n"
        "Every build checks its Containerfile by the rules of docker's build checks and warns of "
        "what it finds. '# check=skip=RULE,RULE' (or skip=all) at the top of the file, or right "
        "above an instruction, silences rules; '# check=error=true' makes findings an error; the "
        "build argument BUILDKIT_DOCKERFILE_CHECK replaces that line. --check prints the findings "
        "of all stages, or of those that --target needs, and ends with status 1 if there are any.",
    .options = kGroups,
    .examples = kExamples,
    .max_positional = 1,
    .run = run_build,
    .in_user_namespace = true,
    .group = "Build",
};

}  // namespace lade::tools
