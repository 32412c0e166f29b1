/** An expected fault, returned and never thrown. Each kind is a class of its own, so that `instanceof` tells them apart. */
export abstract class Fault {
  readonly detail: string;

  constructor(detail: string) {
    this.detail = detail;
    Object.freeze(this);
  }
}
