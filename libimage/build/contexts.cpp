#include "libimage/build/contexts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/lexer.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"

namespace lade::build {
namespace {

std::optional<std::string> try_read_in_root(const DirFd& root, const std::string& path,
                                            std::uint64_t limit) {
  UniqueFd fd = try_open_in_root(root, path, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    const int error = errno;
    if (error != ENOENT && error != ENOTDIR) throw_errno(cat("open ", quoted(path)), error);
    // A link that leads nowhere is no absent file: without an ignore file more would be copied.
    if (try_open_in_root(root, path, O_PATH | O_NOFOLLOW))
      throw Error(Errc::invalid_argument,
                  cat(quoted(path), " is a link to what is not in its directory"));
    return std::nullopt;
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno(cat("stat ", quoted(path)));
  if (!S_ISREG(status.st_mode))
    throw Error(Errc::invalid_argument, cat(quoted(path), " is not a regular file"));
  FdSource source(std::move(fd), path);
  return read_all(source, limit, quoted(path));
}

/// The Containerfile `name` of the context, whose links lead nowhere else.
std::optional<ContainerfileText> in_context(const std::string& context, const std::string& name) {
  auto text = try_read_in_root(open_dir(context), name, kMaxContainerfileBytes);
  if (!text) return std::nullopt;
  return ContainerfileText{.name = name, .path = cat(context, "/", name), .text = std::move(*text)};
}

/// The default names.
ContainerfileText default_in_context(const std::string& context) {
  for (const char* name : {"Containerfile", "Dockerfile"}) {
    if (auto found = in_context(context, name)) return std::move(*found);
  }
  throw Error(Errc::not_found, cat("there is no Containerfile or Dockerfile in ", quoted(context)));
}

struct IgnoreFile {
  IgnoreList list = {};
  std::string name = {};
};

IgnoreFile read_ignore_file(const std::string& given, const std::string& containerfile_path,
                            const DirFd& context) {
  const auto parsed = [](const std::string& name, const std::string& text) {
    return with_context([&] { return cat("read ", quoted(name)); },
                        [&] {
                          return IgnoreFile{IgnoreList::parse(text), name};
                        });
  };
  if (!given.empty()) return parsed(given, read_file(given, IgnoreList::kMaxBytes));
  if (!containerfile_path.empty()) {
    // Nobody named this file, and the directory may be somebody else's: its links stay inside.
    const std::size_t slash = containerfile_path.rfind('/');
    const bool bare = slash == std::string::npos;
    const DirFd directory = open_dir(bare ? "." : containerfile_path.substr(0, slash + 1));
    for (const std::string_view suffix : {".dockerignore", ".containerignore"}) {
      const std::string name = cat(containerfile_path.substr(bare ? 0 : slash + 1), suffix);
      if (const auto text = try_read_in_root(directory, name, IgnoreList::kMaxBytes))
        return parsed(cat(containerfile_path, suffix), *text);
    }
  }
  for (const std::string name : {".containerignore", ".dockerignore"}) {
    if (const auto text = try_read_in_root(context, name, IgnoreList::kMaxBytes))
      return parsed(name, *text);
  }
  return {};
}

bool is_http(std::string_view name) {
  return name.starts_with("http://") || name.starts_with("https://");
}

std::string fetched_text(const std::string& url, const BuildServices& services) {
  if (!services.fetch)
    throw Error(Errc::unsupported, "this build has no way to reach http servers");
  UrlAnswer answer = services.fetch({.url = url});
  if (!answer.body) throw Error(Errc::invalid_content, cat(quoted(url), " has no content"));
  return read_all(*answer.body, kMaxContainerfileBytes, quoted(url));
}

/// What cpp makes of a file called *.in (Buildah).
std::string preprocessed(const std::string& name, std::string text, const std::string& context,
                         const BuildOptions& options, const std::stop_token& stop) {
  const auto path = options.program_environment.find("PATH");
  const std::string directories =
      path == options.program_environment.end() ? "/usr/bin:/bin" : path->second;
  ProgramCall call{
      .path = find_program("cpp", directories),
      .args = {"-E", "-iquote", context.empty() ? "." : context, "-traditional", "-undef", "-P"},
      .environment = {cat("PATH=", directories), "LC_ALL=C.UTF-8"},
      .input = std::move(text),
      .max_output = kMaxContainerfileBytes};
  call.args.insert(call.args.end(), options.cpp_flags.begin(), options.cpp_flags.end());
  call.args.emplace_back("-");
  const ProgramResult result = run_program(call, stop);
  if (result.status != 0)
    throw Error(Errc::invalid_content,
                cat("cpp ", quoted(name), ": ", printable(trimmed(result.err).substr(0, 1000))));
  return result.out;
}

}  // namespace

ContainerfileText read_containerfile(const BuildOptions& options) {
  if (options.containerfile_text)
    return {.name = "Containerfile", .path = {}, .text = *options.containerfile_text};
  if (!options.containerfile.empty()) {
    std::string path = options.containerfile;
    if (!path_exists(path) && !path.starts_with('/') && !options.context.empty()) {
      if (auto found = in_context(options.context, path)) return std::move(*found);
    }
    return {.name = options.containerfile,
            .path = path,
            .text = read_file(path, kMaxContainerfileBytes)};
  }
  if (options.context.empty())
    throw Error(Errc::invalid_argument, "a build needs a context or a Containerfile");
  if (parse_context_name(options.context).kind != ContextName::Kind::path)
    throw Error(Errc::unsupported, cat("the context ", quoted(options.context),
                                       " is no directory: name the Containerfile"));
  return default_in_context(options.context);
}

ContextFiles::ContextFiles(ContextName name, const BuildOptions& options,
                           const BuildServices& services, std::stop_token stop)
    : name_(std::move(name)), options_(options), services_(services), stop_(std::move(stop)) {}

const FetchedContext& ContextFiles::fetched_locked() {
  if (!fetched_) {
    fetched_ = with_context([] { return std::string("open the build context"); },
                            [&] { return fetch_context(name_, options_, services_, stop_); });
  }
  return *fetched_;
}

const FetchedContext& ContextFiles::fetched() {
  const std::scoped_lock lock(mutex_);
  return fetched_locked();
}

BuildContext& ContextFiles::files(const std::string& containerfile,
                                  const std::string& ignore_file) {
  const std::scoped_lock lock(mutex_);
  if (files_) return *files_;
  const FetchedContext& here = fetched_locked();
  if (here.path.empty())
    throw Error(Errc::invalid_argument, "the build has no context to copy from");
  DirFd root = with_context([] { return std::string("open the build context"); },
                            [&] { return open_dir(here.path); });
  IgnoreFile ignore;
  if (!here.room || !ignore_file.empty()) {  // as BuildKit, those that were fetched have none
    ignore = read_ignore_file(ignore_file, containerfile, root);
  }
  if (!here.room) {
    struct stat status {};
    if (::fstat(root.get(), &status) != 0) throw_errno("stat the build context");
    digests_dir_ = create_dir(cat(services_.store.path(), "/context-digests"), 0700);
    digests_ =
        std::make_unique<ContentDigests>(digests_dir_, cat(status.st_dev, "-", status.st_ino));
  }
  files_ = std::make_unique<BuildContext>(std::move(root), std::move(ignore.list),
                                          std::move(ignore.name), digests_.get());
  return *files_;
}

void ContextFiles::save_digests() noexcept {
  const std::scoped_lock lock(mutex_);
  if (files_) files_->save_digests();
}

Contexts::Contexts(const BuildOptions& options, const BuildServices& services, std::stop_token stop)
    : options_(options), services_(services), stop_(std::move(stop)) {
  if (!options.context.empty()) {
    main_ = std::make_unique<ContextFiles>(parse_context_name(options.context), options, services,
                                           stop_);
  }
}

ContainerfileText Contexts::containerfile() {
  const auto read = [this](const std::string& name, std::string content) {
    if (!name.ends_with(".in")) return content;
    const bool has_files = main_ && !main_->is_stdin();
    return preprocessed(name, std::move(content), has_files ? main_->fetched().path : "", options_,
                        stop_);
  };
  ContainerfileText text = first_containerfile();
  text.text = read(text.name, std::move(text.text));
  for (const std::string& name : options_.containerfiles_behind) {
    if (!text.text.ends_with('\n')) text.text += '\n';
    text.text += read(name, read_named(name));
    if (text.text.size() > kMaxContainerfileBytes)
      throw Error(Errc::limit_exceeded,
                  cat("the Containerfiles have more than ", kMaxContainerfileBytes, " bytes"));
  }
  return text;
}

/// A file that was named with --file: a URL, a file of this machine or of the context.
std::string Contexts::read_named(const std::string& name) {
  if (is_http(name)) return fetched_text(name, services_);
  if (!main_ || !main_->fetched().room) {
    BuildOptions one{.context = options_.context, .containerfile = name};
    return read_containerfile(one).text;
  }
  auto found = in_context(main_->fetched().path, name);
  if (!found)
    throw Error(Errc::not_found, cat("there is no ", quoted(name), " in the build context"));
  return std::move(found->text);
}

ContainerfileText Contexts::first_containerfile() {
  if (is_http(options_.containerfile))
    return {.name = options_.containerfile,
            .path = {},
            .text = fetched_text(options_.containerfile, services_)};
  if (options_.containerfile_text || !main_) {
    ContainerfileText text = read_containerfile(options_);
    containerfile_path_ = text.path;
    return text;
  }
  const FetchedContext& here = main_->fetched();
  if (here.containerfile && options_.containerfile.empty())
    return {.name = "Containerfile", .path = {}, .text = *here.containerfile};
  if (!here.room || here.path.empty()) {
    ContainerfileText text = read_containerfile(options_);
    containerfile_path_ = text.path;
    return text;
  }
  // Somebody else made this tree: the file is one of its own, whatever the name says.
  if (options_.containerfile.empty()) {
    ContainerfileText text = default_in_context(here.path);
    text.path.clear();
    return text;
  }
  auto found = in_context(here.path, options_.containerfile);
  if (!found)
    throw Error(Errc::not_found,
                cat("there is no ", quoted(options_.containerfile), " in the build context"));
  found->path.clear();
  return std::move(*found);
}

Contexts::Opened Contexts::main() {
  if (!main_) throw Error(Errc::invalid_argument, "the build has no context to copy from");
  BuildContext& files = main_->files(containerfile_path_, options_.ignore_file);
  return {.files = files, .path = main_->fetched().path};
}

std::optional<Contexts::Opened> Contexts::named(const std::string& name,
                                                const oci::Platform& platform) {
  const std::optional<ContextName> found = named_context(options_.contexts, name, platform);
  if (!found || found->kind == ContextName::Kind::image) return std::nullopt;
  ContextFiles* context = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    auto& known = named_[cat(static_cast<int>(found->kind), found->text)];
    if (!known) known = std::make_unique<ContextFiles>(*found, options_, services_, stop_);
    context = known.get();
  }
  return with_context([&] { return cat("build context ", quoted(name)); },
                      [&] {
                        BuildContext& files = context->files({}, {});
                        return Opened{.files = files, .path = context->fetched().path};
                      });
}

void Contexts::save_digests() noexcept {
  const std::scoped_lock lock(mutex_);
  if (main_) main_->save_digests();
  for (const auto& [name, context] : named_) context->save_digests();
}

}  // namespace lade::build
