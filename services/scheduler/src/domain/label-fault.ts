/** Why a label that a definition makes has no value for a start. */
export interface LabelFault {
  readonly label: string
  readonly expression: string
  readonly fault: string
}
