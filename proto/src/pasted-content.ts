const CONTENTS = [
  /-----BEGIN [A-Z ]+-----/,
  /^\s*eyJ[\w-]+\.[\w-]*\.[\w-]*\s*$/,
  /^\s*S[UAO][A-Z2-7]{56}\s*$/,
]

/** Whether what was to be the path of a file is what belongs in one (PEM, a JWT, the seed of an nkey), and so is not to be shown. */
export function isPastedContent(text: string): boolean {
  return CONTENTS.some((content) => content.test(text))
}
