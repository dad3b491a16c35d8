import type { FileAccess } from "./file-access.ts";
import type { CheckConfig, CredentialSource } from "./model.ts";
import type { ConfigProblem, Finding, KeyPath } from "./problem.ts";
import { placeOf, type SecretOptions } from "./secret-files.ts";
import { checkLists, kindOf } from "./semantics/checks.ts";
import type { PlacedService } from "./semantics/services.ts";

/**
 * Findings about the files that checks name: scripts and certificates. They depend on the machine, so they stand apart
 * from the problems of the text: a daemon that starts may report them and go on.
 */
export function fileProblems(
  services: readonly PlacedService[],
  options: SecretOptions,
  files: FileAccess,
): ConfigProblem[] {
  return services.flatMap((service) =>
    checkLists(service).flatMap(({ path, checks }) =>
      checks.flatMap((check, index) => checkFileProblems(service, [...path, index], check, options, files)),
    ),
  );
}

function checkFileProblems(
  service: PlacedService,
  at: KeyPath,
  check: CheckConfig,
  options: SecretOptions,
  files: FileAccess,
): ConfigProblem[] {
  const kind = kindOf(check);
  const found: { readonly below: KeyPath; readonly finding: Finding | null }[] = [];
  if (check.type === "script") {
    found.push({ below: ["run", 0], finding: scriptFinding(check.command[0], files) });
  }
  if (check.type === "http" && check.tls !== null) {
    const { caFile, certFile, keyFile } = check.tls;
    found.push({ below: ["tls", "ca"], finding: pemFinding(caFile, options, files) });
    found.push({ below: ["tls", "cert"], finding: pemFinding(certFile, options, files) });
    found.push({
      below: ["tls", "key"],
      finding: pemFinding(keyFile, options, files) ?? exposedKeyFinding(keyFile, files),
    });
  }
  return found.flatMap(({ below, finding }) =>
    finding === null ? [] : [service.problem([...at, kind, ...below], finding)],
  );
}

const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

function scriptFinding(path: string, files: FileAccess): Finding | null {
  const facts = files.stat(path);
  const code = "bad-file";
  if (facts === null) return { code, message: "the script does not exist", hint: "create it, or correct the path" };
  if (facts.kind !== "file") return { code, message: "the script is not a file" };
  if ((facts.mode & 0o111) === 0) return { code, message: "the script is not executable", hint: `chmod +x ${path}` };
  if ((facts.mode & OTHERS_WRITE) !== 0) {
    const message = "the script may be written by every user, and holdfast would run it with its own rights";
    return { code, message, hint: `chmod o-w ${path}` };
  }
  for (const folder of foldersOf(path)) {
    const mode = files.stat(folder)?.mode ?? 0;
    if ((mode & OTHERS_WRITE) === 0 || (mode & STICKY) !== 0) continue;
    const message = `every user may replace the script, because the folder ${folder} may be written by all`;
    return { code, message, hint: `chmod o-w ${folder}` };
  }
  return null;
}

/** The folders above a path, nearest first. */
function foldersOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("/") || "/");
}

function pemFinding(
  source: string | CredentialSource | null,
  options: SecretOptions,
  files: FileAccess,
): Finding | null {
  if (source === null) return null;
  const path = typeof source === "string" ? source : placeOf(source, options);
  if (path === undefined) return null;
  if (path === null)
    return {
      code: "bad-file",
      message: "this is a systemd credential, and this process was given none ($CREDENTIALS_DIRECTORY is not set)",
      hint: "give it to the unit by LoadCredential=NAME:/PATH, or write the path of a file here",
    };
  const facts = files.stat(path);
  if (facts === null)
    return { code: "bad-file", message: `the file does not exist${path.startsWith("/") ? ` (${path})` : ""}` };
  if (facts.kind !== "file") return { code: "bad-file", message: "this is not a file" };
  if (!files.isReadable(path))
    return { code: "bad-file", message: "the file cannot be read by this user", hint: "check its owner and mode" };
  return null;
}

/** The mode of a credential is systemd's affair. */
function exposedKeyFinding(path: string | CredentialSource | null, files: FileAccess): Finding | null {
  const mode = typeof path !== "string" ? 0 : (files.stat(path)?.mode ?? 0);
  if ((mode & 0o004) === 0) return null;
  return {
    severity: "warning",
    code: "bad-file",
    message: "the key may be read by every user",
    hint: `chmod o-r ${path}`,
  };
}
